"""The values of `x-tick-*` keywords, read strictly: what is wrong is refused with its place."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow.types as pt

from tickmesh.schema.errors import pointer_of
from tickmesh_cleaner.rules.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pyarrow as pa

    from tickmesh.schema.roles import Roles


class RuleError(ValueError):
    """A tick rule that cannot be taken as it is.

    Attributes:
        pointer: JSON Pointer to the place in the schema.
        message: What was expected, what came.
    """

    def __init__(self, message: str, *, pointer: str) -> None:
        super().__init__(f"{message} (at {pointer or 'the root'})")
        self.message = message
        self.pointer = pointer


class Parameters:
    """The parameters of one keyword. Every reader takes a parameter; `finish` refuses the rest.

    Attributes:
        keyword: The keyword.
        pointer: JSON Pointer to it.
        field: The field it stands at; None at the row.
        roles: Which field plays which role.
    """

    def __init__(
        self,
        keyword: str,
        value: Any,
        *,
        pointer: str,
        field: str | None,
        columns: pa.Schema,
        roles: Roles,
        shorthand: str | None = None,
    ) -> None:
        """Take the value of a keyword.

        Args:
            keyword: The keyword.
            value: Its value: an object of parameters, or `true` for none.
            pointer: JSON Pointer to it.
            field: The field it stands at; None at the row.
            columns: The row's columns, decoded.
            roles: Which field plays which role.
            shorthand: The parameter that a value which is no object stands for.

        Raises:
            RuleError: The value is of another kind.
        """
        self.keyword = keyword
        self.pointer = pointer
        self.field = field
        self.roles = roles
        self._columns = columns
        self._taken: set[str] = set()
        if value is True:
            value = {}
        elif (
            shorthand is not None and isinstance(value, str | int | Decimal) and value is not False
        ):
            value = {shorthand: value}
        if not isinstance(value, dict):
            kinds = "true or an object" if shorthand is None else f"a {shorthand} or an object"
            self.refuse(f"expected {kinds}, not {_shown(value)}")
        self._values: Mapping[str, Any] = value

    def refuse(self, message: str, *steps: object) -> NoReturn:
        """Raise RuleError at the keyword, or at a parameter below it."""
        raise RuleError(message, pointer=self.pointer + pointer_of(steps))

    def finish(self) -> None:
        """Refuse parameters that nothing reads."""
        for name in self._values:
            if name not in self._taken:
                taken = ", ".join(sorted(self._taken))
                self.refuse(f"{name!r} is no parameter of {self.keyword}; these are: {taken}", name)

    def given(self, name: str) -> Any:
        """A parameter as it stands; None when it is not there."""
        self._taken.add(name)
        return self._values.get(name)

    def severity(self, *, default: Severity, allowed: Collection[Severity]) -> Severity:
        """What is done with a row that breaks the rule."""
        return Severity(self.choice("severity", allowed, default=default))

    def choice(self, name: str, choices: Collection[str], *, default: str) -> str:
        """One of several words."""
        value = self.given(name)
        if value is None:
            return default
        if not isinstance(value, str) or value not in {str(choice) for choice in choices}:
            words = ", ".join(repr(str(choice)) for choice in choices)
            self.refuse(f"expected one of {words}, not {_shown(value)}", name)
        return str(value)

    def number(
        self,
        name: str,
        *,
        default: float | None = None,
        above: float | None = None,
        least: float | None = None,
        most: float | None = None,
    ) -> float:
        """A number within bounds; refused when it is missing and there is no default."""
        value = self.given(name)
        if value is None and default is not None:
            return default
        wanted = _range_words(above=above, least=least, most=most)
        if isinstance(value, bool) or not isinstance(value, int | Decimal):
            self.refuse(f"expected a number{wanted}, not {_shown(value)}", name)
        if (
            (above is not None and value <= above)
            or (least is not None and value < least)
            or (most is not None and value > most)
        ):
            self.refuse(f"expected a number{wanted}, not {_shown(value)}", name)
        return float(value)

    def integer(self, name: str, *, default: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        value = self.number(name, default=default, least=least, most=most)
        if value != int(value):
            self.refuse(f"expected a whole number, not {_shown(self._values[name])}", name)
        return int(value)

    def decimal(self, name: str) -> Decimal:
        """An exact number above 0."""
        value = self.given(name)
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or value <= 0:
            self.refuse(f"expected a number above 0, not {_shown(value)}", name)
        return Decimal(value)

    def numeric_field(self, name: str, *, usual: Sequence[str] = ()) -> str:
        """A field that holds numbers; the first usual name the row has, when none is given."""
        return self._field(name, usual, _is_number, "numbers")

    def time_field(self, name: str) -> str:
        """A field that holds instants; the one that plays the role event_time by default."""
        usual = [self.roles.event_time] if self.roles.event_time else []
        return self._field(name, usual, _is_time, "instants")

    def ordered_field(self, name: str) -> str:
        """A field of instants or integers; the event time by default."""
        usual = [self.roles.event_time] if self.roles.event_time else []
        return self._field(name, usual, _is_ordered, "instants or integers")

    def own_field(self, *, holds: str) -> str:
        """The field the keyword stands at, which must hold `numbers` or `text`."""
        fits = _is_number if holds == "numbers" else _is_text
        if self.field is None:
            self.refuse(f"{self.keyword} stands at a field that holds {holds}, not at the row")
        if not fits(self._columns.field(self.field).type):
            kind = self._columns.field(self.field).type
            self.refuse(f"{self.keyword} stands at a field that holds {holds}; this one is {kind}")
        return self.field

    def type_of(self, field: str) -> Any:
        """The Arrow type of a field of the row."""
        return self._columns.field(field).type

    def fields(self, name: str) -> tuple[str, ...] | None:
        """Names of fields, at least one; None when there is no such parameter."""
        value = self.given(name)
        if value is None:
            return None
        if not isinstance(value, list) or not value:
            self.refuse(f"expected a list of field names, not {_shown(value)}", name)
        for place, each in enumerate(value):
            if not isinstance(each, str) or each not in self._columns.names:
                self.refuse(f"the row has no field {_shown(each)}", name, place)
        return tuple(value)

    def _field(self, name: str, usual: Sequence[str], fits: Any, holds: str) -> str:
        value = self.given(name)
        if value is None:
            for candidate in usual:
                if candidate in self._columns.names and fits(self._columns.field(candidate).type):
                    return candidate
            self.refuse(
                f"expected {name!r} to name a field of {holds}: none is the usual one", name
            )
        if not isinstance(value, str) or value not in self._columns.names:
            self.refuse(f"the row has no field {_shown(value)}", name)
        kind = self._columns.field(value).type
        if not fits(kind):
            self.refuse(f"expected a field that holds {holds}; {value!r} is {kind}", name)
        return str(value)


def _range_words(*, above: float | None, least: float | None, most: float | None) -> str:
    words = []
    if above is not None:
        words.append(f"above {above:g}")
    if least is not None:
        words.append(f"of at least {least:g}")
    if most is not None:
        words.append(f"at most {most:g}")
    return " " + " and ".join(words) if words else ""


def _shown(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    return "nothing" if value is None else repr(value)[:80]


def _is_number(kind: Any) -> bool:
    return bool(pt.is_integer(kind) or pt.is_float32(kind) or pt.is_float64(kind)) or bool(
        pt.is_decimal(kind)
    )


def _is_time(kind: Any) -> bool:
    return bool(pt.is_timestamp(kind))


def _is_ordered(kind: Any) -> bool:
    return bool(pt.is_timestamp(kind) or pt.is_integer(kind))


def _is_text(kind: Any) -> bool:
    if pt.is_dictionary(kind):
        kind = kind.value_type
    return bool(pt.is_string(kind) or pt.is_large_string(kind))
