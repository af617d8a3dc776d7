"""One comparison of a field with a value."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic

from .fields import FieldKind, FilterField, Record
from .mistake import mistake
from .pattern import Pattern
from .tokens import TokenKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .tokens import Token

_MAX_INTEGER = 2**63 - 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC_3339 = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)


class Comparator(StrEnum):
    """How a field is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    HAS = ":"


_ORDERED: Mapping[Comparator, Callable[[Any, Any], bool]] = {
    Comparator.EQUAL: operator.eq,
    Comparator.HAS: operator.eq,
    Comparator.NOT_EQUAL: operator.ne,
    Comparator.LESS: operator.lt,
    Comparator.LESS_OR_EQUAL: operator.le,
    Comparator.GREATER: operator.gt,
    Comparator.GREATER_OR_EQUAL: operator.ge,
}


@dataclass(frozen=True, slots=True)
class Restriction(Generic[Record]):
    """A field, a comparator, a value.

    Attributes:
        field: What is compared.
        key: The key of a MAP that is compared; none for the map itself.
        comparator: How.
        value: A `Pattern` for strings, maps and their values, nanoseconds for instants, else the
            integer or the choice.
    """

    field: FilterField[Record]
    key: str | None
    comparator: Comparator
    value: Any

    def test(self) -> Callable[[Record], bool]:
        """The comparison as a function of a record."""
        read = self.field.read
        value = self.value
        if self.field.kind is FieldKind.MAP:
            return self._map_test()
        if isinstance(value, Pattern):
            fits = _string_test(self.comparator, value)
            return lambda record: fits(read(record))
        compare = _ORDERED[self.comparator]
        return lambda record: compare(read(record), value)

    def _map_test(self) -> Callable[[Record], bool]:
        read, key, pattern = self.field.read, self.key, self.value
        if key is None:
            return lambda record: any(map(pattern.matches, read(record)))
        if self.comparator is Comparator.HAS and pattern.is_anything:
            return lambda record: key in read(record)
        if self.comparator is Comparator.NOT_EQUAL:
            return lambda record: key not in read(record) or not pattern.matches(read(record)[key])
        fits = _string_test(self.comparator, pattern)
        return lambda record: key in read(record) and fits(read(record)[key])


def _string_test(comparator: Comparator, pattern: Pattern) -> Callable[[str], bool]:
    match comparator:
        case Comparator.EQUAL:
            return pattern.matches
        case Comparator.NOT_EQUAL:
            return lambda text: not pattern.matches(text)
        case Comparator.HAS:
            return bool if pattern.is_anything else pattern.is_in
    compare = _ORDERED[comparator]
    bound = pattern.literal
    return lambda text: compare(text, bound)


def restriction_of(
    field: FilterField[Record], key: str | None, comparator: Comparator, argument: Token
) -> Restriction[Record]:
    """Read a comparison; raises InvalidArgumentError where value or comparator do not fit."""
    value: Any
    match field.kind:
        case FieldKind.INTEGER:
            value = _integer(field, argument)
        case FieldKind.INSTANT:
            value = _instant(field, argument)
        case FieldKind.CHOICE:
            value = _choice(field, comparator, argument)
        case _:
            value = _pattern(field, key, comparator, argument)
    return Restriction(field, key, comparator, value)


def _integer(field: FilterField[Any], argument: Token) -> int:
    digits = argument.text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19:
        raise mistake(argument.position, f"{field.name} is {field.kind}, got {argument}")
    number = int(argument.text)
    if abs(number) > _MAX_INTEGER:
        raise mistake(argument.position, f"{field.name} fits 64 bits, got {argument}")
    return number


def _instant(field: FilterField[Any], argument: Token) -> int:
    found = _RFC_3339.fullmatch(argument.text)
    try:
        if found is None:
            raise ValueError(argument.text)
        moment = datetime.fromisoformat(f"{found[1]}T{found[2]}{found[4].upper()}")
    except ValueError:
        raise mistake(
            argument.position,
            f"{field.name} is {field.kind} with its offset, such as 2026-01-31T09:30:00Z, "
            f"got {argument}",
        ) from None
    since = moment - _EPOCH
    instant = (since.days * 86_400 + since.seconds) * 1_000_000_000 + int(
        (found[3] or "").ljust(9, "0")
    )
    if abs(instant) > _MAX_INTEGER:
        raise mistake(argument.position, f"{field.name} lies between 1677 and 2262, got {argument}")
    return instant


def _choice(field: FilterField[Any], comparator: Comparator, argument: Token) -> str:
    if comparator not in (Comparator.EQUAL, Comparator.NOT_EQUAL, Comparator.HAS):
        raise mistake(
            argument.position,
            f"{field.name} has no order: compare with =, != or :, not {comparator}",
        )
    value = argument.text.lower()
    if value not in field.choices:
        raise mistake(
            argument.position,
            f"expected {field.name} to be one of {', '.join(field.choices)}, got {argument}",
        )
    return value


def _pattern(
    field: FilterField[Any], key: str | None, comparator: Comparator, argument: Token
) -> Pattern:
    if field.kind is FieldKind.MAP and key is None and comparator is not Comparator.HAS:
        raise mistake(
            argument.position,
            f"{field.name} is {field.kind}: write {field.name}.KEY {comparator} VALUE, or "
            f"{field.name}:KEY for the presence of a key",
        )
    pattern = Pattern.of(argument.text)
    equality = (Comparator.EQUAL, Comparator.NOT_EQUAL, Comparator.HAS)
    if pattern.literal is None and comparator not in equality:
        raise mistake(
            argument.position, f"wildcards go with =, != and :, not with {comparator}; use \\*"
        )
    return pattern


def is_argument(token: Token) -> bool:
    """Say whether a token can be a value."""
    return token.kind in (TokenKind.WORD, TokenKind.QUOTED)
