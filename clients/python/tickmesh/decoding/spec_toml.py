"""Source specs as TOML: read strictly (an unknown key is an error), written for people."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, TypeVar

from tickmesh.decoding.source_spec import (
    MAX_ITEMS,
    Case,
    Cast,
    Compression,
    Condition,
    CsvDialect,
    Explode,
    Extras,
    FieldMapping,
    Format,
    LocalTime,
    Prefix,
    RecordKind,
    Since,
    SkipKind,
    SourceSpec,
    SourceSpecError,
    TimeMapping,
    TimeUnit,
)

_Choice = TypeVar("_Choice", bound=StrEnum)
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_MISSING: Final = object()
_RANGE: Final = re.compile(r"([0-9]{1,6})\.\.([0-9]{1,6})")
_NUMBER_PLACE: Final = re.compile(r"\{(?::0([1-9]))?\}")

ITEM: Final = "item"
"""What the mapping of a list's item is called."""


class _Table:
    """A TOML table being read: every key must be asked for, and have the type asked for."""

    def __init__(self, value: object, key: str) -> None:
        if not isinstance(value, dict):
            raise SourceSpecError(f"expected a table, got {value!r}", key=key)
        self._value: dict[str, Any] = value
        self._key = key
        self._asked: list[str] = []

    def key(self, name: str) -> str:
        return f"{self._key}.{name}" if self._key else name

    def get(self, name: str, kinds: tuple[type, ...], default: Any = None) -> Any:
        self._asked.append(name)
        value = self._value.get(name, _MISSING)
        if value is _MISSING:
            return default
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            expected = " or ".join(_TYPE_NAMES[kind] for kind in kinds)
            raise SourceSpecError(f"expected {expected}, got {value!r}", key=self.key(name))
        return value

    def text(self, name: str) -> str | None:
        value: str | None = self.get(name, (str,))
        return value

    def needed(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise SourceSpecError("is missing", key=self.key(name))
        return value

    def number(self, name: str) -> int | None:
        value: int | None = self.get(name, (int,))
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        values = self.get(name, (list,), [])
        if not all(isinstance(value, str) for value in values):
            raise SourceSpecError("expected an array of strings", key=self.key(name))
        return tuple(values)

    def choice(self, name: str, choices: type[_Choice]) -> _Choice | None:
        value = self.text(name)
        if value is None:
            return None
        try:
            return choices(value)
        except ValueError:
            listed = ", ".join(choice.value for choice in choices)
            raise SourceSpecError(
                f"expected one of {listed}; got {value!r}", key=self.key(name)
            ) from None

    def table(self, name: str) -> _Table | None:
        value = self.get(name, (dict,))
        return None if value is None else _Table(value, self.key(name))

    def tables(self, name: str) -> list[_Table]:
        values = self.get(name, (list,), [])
        return [_Table(value, f"{self.key(name)}[{index}]") for index, value in enumerate(values)]

    def members(self) -> list[tuple[str, Any]]:
        self._asked.extend(self._value)
        return list(self._value.items())

    def numbered(self, number: int) -> _Table:
        """The table with a number put into its texts."""
        return _Table(_numbered(self._value, number), self._key)

    def finish(self) -> None:
        """Refuse keys nobody asked for."""
        for name in self._value:
            if name not in self._asked:
                near = difflib.get_close_matches(name, self._asked, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise SourceSpecError(f"unknown key{hint}", key=self.key(name))


_TYPE_NAMES: Final[Mapping[type, str]] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "an array",
    dict: "a table",
}


def parse(text: str) -> SourceSpec:
    """Read a source spec.

    Raises:
        SourceSpecError: With the dotted path of the wrong key.
    """
    try:
        root = _Table(tomllib.loads(text), "")
    except tomllib.TOMLDecodeError as error:
        raise SourceSpecError(f"not TOML: {error}") from None
    form = root.choice("format", Format)
    if form is None:
        raise SourceSpecError(f"is missing; expected one of {', '.join(Format)}", key="format")
    spec = SourceSpec(
        format=form,
        subject=root.text("subject"),
        compression=root.choice("compression", Compression) or Compression.AUTO,
        csv=_dialect(root.table("csv")),
        prefix=_prefix(root.table("prefix")),
        file_name=root.text("file_name"),
        records=tuple(map(_record_kind, root.tables("records"))),
        skip=tuple(map(_skip_kind, root.tables("skip"))),
        extras=root.choice("extras", Extras) or Extras.COUNT,
        ignore=root.texts("ignore"),
    )
    root.finish()
    return spec


def _dialect(table: _Table | None) -> CsvDialect:
    if table is None:
        return CsvDialect()
    standard = CsvDialect()
    delimiter, quote = table.text("delimiter"), table.text("quote")
    dialect = CsvDialect(
        delimiter=standard.delimiter if delimiter is None else delimiter,
        quote=standard.quote if quote is None else quote,
        names=table.texts("names"),
        escape=table.text("escape") or "",
        comment=table.text("comment") or "",
        skip_lines=table.number("skip_lines") or 0,
        decimal=table.text("decimal") or standard.decimal,
    )
    table.finish()
    return dialect


def _prefix(table: _Table | None) -> Prefix | None:
    if table is None:
        return None
    separator = table.text("separator")
    names = table.texts("names")
    table.finish()
    return Prefix(names=names, separator=" " if separator is None else separator)


def _condition(table: _Table) -> Condition:
    condition = Condition(
        path=table.needed("path"),
        equals=table.get("equals", (str, int)),
        matches=table.text("matches"),
        present=table.get("present", (bool,), False),
    )
    table.finish()
    return condition


def _record_kind(table: _Table) -> RecordKind:
    when = table.table("when")
    fields = table.table("fields")
    if fields is None:
        raise SourceSpecError("is missing: a table of fields to fill", key=table.key("fields"))
    kind = RecordKind(
        name=table.needed("name"),
        when=None if when is None else _condition(when),
        explode=tuple(map(_explode, table.tables("explode"))),
        fields=_fields(fields),
        rows=tuple(map(_fields, table.tables("rows"))),
    )
    table.finish()
    return kind


def _fields(table: _Table) -> tuple[FieldMapping, ...]:
    return tuple(_field(name, _Table(value, table.key(name))) for name, value in table.members())


def _skip_kind(table: _Table) -> SkipKind:
    when = table.table("when")
    if when is None:
        raise SourceSpecError("is missing", key=table.key("when"))
    kind = SkipKind(name=table.needed("name"), when=_condition(when))
    table.finish()
    return kind


def _explode(table: _Table) -> Explode:
    constants = table.table("constants")
    explode = Explode(
        path=table.needed("path"),
        constants=() if constants is None else tuple(constants.members()),
    )
    table.finish()
    return explode


def _field(target: str, table: _Table) -> FieldMapping:
    values = table.table("values")
    unit, since = table.choice("unit", TimeUnit), table.choice("since", Since)
    zone, date = table.text("zone"), table.text("date")
    ambiguous, nonexistent = (
        table.choice(name, LocalTime) for name in ("ambiguous", "nonexistent")
    )
    time = None
    if any(part is not None for part in (unit, since, zone, date, ambiguous, nonexistent)):
        time = TimeMapping(
            unit=unit,
            since=since or Since.EPOCH,
            zone=zone,
            date=date,
            ambiguous=ambiguous or LocalTime.REFUSE,
            nonexistent=nonexistent or LocalTime.REFUSE,
        )
    parts, each = table.table("fields"), table.table("each")
    mapping = FieldMapping(
        target=target,
        path=table.text("from"),
        fields=() if parts is None else _fields(parts),
        items=_items(table),
        each=None if each is None else _field(ITEM, each),
        separator=table.text("separator"),
        part=table.number("part"),
        extract=table.text("extract"),
        element=table.get("element", (int, str)),
        constant=table.get("constant", (str, int, float, bool)),
        file_group=table.text("file_name"),
        time=time,
        divide_by=table.number("divide_by"),
        multiply_by=table.number("multiply_by"),
        null_values=table.texts("null_values"),
        values=() if values is None else _pairs(values),
        cast=table.choice("cast", Cast),
        case=table.choice("case", Case),
    )
    table.finish()
    return mapping


def _items(table: _Table) -> tuple[FieldMapping, ...]:
    """The items of a list, one by one, or one for all with a range of numbers to be put in."""
    items = tuple(_field(ITEM, item) for item in table.tables("items"))
    numbers = table.text("numbers")
    item = table.table("item")
    if (numbers is None) != (item is None):
        raise SourceSpecError("item and numbers need each other", key=table.key("item"))
    if numbers is None or item is None:
        return items
    span = _RANGE.fullmatch(numbers)
    if span is None or not 0 <= int(span[2]) - int(span[1]) < MAX_ITEMS:
        raise SourceSpecError(
            f"expected such as '1..10', {MAX_ITEMS} numbers at most, got {numbers!r}",
            key=table.key("numbers"),
        )
    return items + tuple(
        _field(ITEM, item.numbered(number)) for number in range(int(span[1]), int(span[2]) + 1)
    )


def _numbered(value: Any, number: int) -> Any:
    """The value with a number put in for each ``{}``, or ``{:02}`` for two digits, of its texts."""
    if isinstance(value, str):
        return _NUMBER_PLACE.sub(lambda found: f"{number:0{int(found[1] or 1)}}", value)
    if isinstance(value, dict):
        return {name: _numbered(part, number) for name, part in value.items()}
    return value


def _pairs(table: _Table) -> tuple[tuple[str, str], ...]:
    pairs = []
    for raw, value in table.members():
        if not isinstance(value, str):
            raise SourceSpecError(f"expected a string, got {value!r}", key=table.key(raw))
        pairs.append((raw, value))
    return tuple(pairs)


def render(spec: SourceSpec) -> str:
    """Write a source spec with its comments."""
    return "\n".join(_lines(spec)) + "\n"


def _lines(spec: SourceSpec) -> Iterator[str]:
    yield from (f"# {line}".rstrip() for line in spec.comment)
    yield _pair("format", spec.format.value)
    if spec.subject is not None:
        yield _pair("subject", spec.subject)
    if spec.compression is not Compression.AUTO:
        yield _pair("compression", spec.compression.value)
    if spec.file_name is not None:
        yield _pair("file_name", spec.file_name)
    if spec.extras is not Extras.COUNT:
        yield _pair("extras", spec.extras.value)
    if spec.ignore:
        yield _pair("ignore", list(spec.ignore))
    yield from _layout(spec)
    for kind in spec.records:
        yield from ("", "[[records]]")
        yield from _kind_head(kind)
        if kind.explode:
            parts = [
                {"path": part.path, "constants": dict(part.constants)}
                if part.constants
                else {"path": part.path}
                for part in kind.explode
            ]
            yield _pair("explode", parts)
        yield "[records.fields]"
        yield from _field_lines(kind.fields)
        for row in kind.rows:
            yield "[[records.rows]]"
            yield from _field_lines(row)
    for skipped in spec.skip:
        yield from ("", "[[skip]]")
        yield from _kind_head(skipped)


def _field_lines(mappings: Iterable[FieldMapping]) -> Iterator[str]:
    mappings = tuple(mappings)
    width = max((len(_key(mapping.target)) for mapping in mappings), default=0)
    for mapping in mappings:
        line = f"{_key(mapping.target):{width}} = {_value(_field_table(mapping))}"
        yield f"{line}  # {mapping.comment}" if mapping.comment else line


def _layout(spec: SourceSpec) -> Iterator[str]:
    if spec.csv != CsvDialect():
        yield from ("", "[csv]")
        standard = CsvDialect()
        for name in (each.name for each in dataclasses.fields(CsvDialect)):
            value = getattr(spec.csv, name)
            if value != getattr(standard, name):
                yield _pair(name, list(value) if isinstance(value, tuple) else value)
    if spec.prefix is not None:
        yield from ("", "[prefix]", _pair("names", list(spec.prefix.names)))
        if spec.prefix.separator != " ":
            yield _pair("separator", spec.prefix.separator)


def _kind_head(kind: RecordKind | SkipKind) -> Iterator[str]:
    line = _pair("name", kind.name)
    yield f"{line}  # {kind.comment}" if kind.comment else line
    if kind.when is not None:
        test: dict[str, Any] = {"path": kind.when.path}
        for name in ("equals", "matches"):
            if getattr(kind.when, name) is not None:
                test[name] = getattr(kind.when, name)
        if kind.when.present:
            test["present"] = True
        yield _pair("when", test)


def _field_table(mapping: FieldMapping) -> dict[str, Any]:
    time = mapping.time
    table = {
        "from": mapping.path,
        "element": mapping.element,
        "constant": mapping.constant,
        "file_name": mapping.file_group,
        "fields": {part.target: _field_table(part) for part in mapping.fields} or None,
        "items": [_field_table(item) for item in mapping.items] or None,
        "each": mapping.each and _field_table(mapping.each),
        "separator": mapping.separator,
        "part": mapping.part,
        "extract": mapping.extract,
        "unit": time and time.unit and time.unit.value,
        "since": time.since.value if time and time.since is not Since.EPOCH else None,
        "zone": time and time.zone,
        "date": time and time.date,
        "ambiguous": _unless_refused(time.ambiguous if time else None),
        "nonexistent": _unless_refused(time.nonexistent if time else None),
        "divide_by": mapping.divide_by,
        "multiply_by": mapping.multiply_by,
        "null_values": list(mapping.null_values) or None,
        "values": dict(mapping.values) or None,
        "cast": mapping.cast and mapping.cast.value,
        "case": mapping.case and mapping.case.value,
    }
    return {name: value for name, value in table.items() if value is not None}


def _unless_refused(choice: LocalTime | None) -> str | None:
    return None if choice in (None, LocalTime.REFUSE) else str(choice)


def _pair(name: str, value: object) -> str:
    return f"{_key(name)} = {_value(value)}"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _string(name)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, Mapping):
        return _braced("{ ", (_pair(str(name), item) for name, item in value.items()), " }")
    if isinstance(value, list):
        return _braced("[", map(_value, value), "]")
    return repr(value)


def _braced(left: str, parts: Iterable[str], right: str) -> str:
    return left + ", ".join(parts) + right


def _string(text: str) -> str:
    if "\\" in text and "'" not in text and text.isprintable():
        return f"'{text}'"
    # JSON's escapes are TOML's; DEL alone must be escaped in TOML and is not in JSON.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
