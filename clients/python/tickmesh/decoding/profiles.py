"""What the values of one raw field have in common, and the schema and mapping that fit them."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from tickmesh.decoding.conversion import grammar
from tickmesh.decoding.shapes import kind_of
from tickmesh.decoding.source_spec import Cast, FieldMapping, Since, TimeMapping, TimeUnit
from tickmesh.decoding.trading_hours import clock_of_instants, local_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_ENUM_VALUES: Final = 32
_LEAST_PER_ENUM_VALUE: Final = 10
_FEW_ODD_VALUES: Final = 0.1
_INT64: Final = 1 << 63
_DAY_MS: Final = 86_400_000
_FIRST_SECOND: Final = 946_684_800  # 2000-01-01
_LAST_SECOND: Final = 4_102_444_800  # 2100-01-01
_TIME_NAME: Final = re.compile(
    r"(^|[_.])(ts|time|timestamp|date|datetime|at)([_.]|$)|time", re.IGNORECASE
)
_QUANTITY_NAME: Final = re.compile(r"size|qty|quantity|amount|volume|price|bid|ask", re.IGNORECASE)
_LADDER_NAME: Final = re.compile(r"(.*_)?(bids?|asks?|b|a)", re.IGNORECASE)
_DECIMAL: Final = re.compile(r"-?([0-9]+)(?:\.([0-9]+))?")
_ISO_TIME: Final = re.compile(rf"{grammar.DATE}[T ]{grammar.TIME}({grammar.OFFSET})?")
_ISO_DATE: Final = re.compile(grammar.DATE)

ABSENT: Final = object()
"""Stands for a field that is not there."""


@dataclass(frozen=True, slots=True)
class FieldGuess:
    """A field's schema and where its values come from.

    Attributes:
        schema: Its JSON Schema.
        mapping: Its mapping.
        required: Whether every record of the sample has it.
        notes: What a person should confirm.
        members: Of a field built of several raw columns, the guesses for each by itself.
    """

    schema: dict[str, Any]
    mapping: FieldMapping
    required: bool
    notes: tuple[str, ...] = field(default=())
    members: tuple[FieldGuess, ...] = field(default=())


def guess(
    values: Sequence[Any], *, target: str, path: str, lexical: bool, file_date: bool
) -> FieldGuess:
    """Guess a field from a sample of its values.

    Args:
        values: One a record: ``ABSENT``, None, bool, str, ``NumberToken``, list or dict.
        target: Name of the schema's field.
        path: Raw column or JSON path.
        lexical: Text is how any value is written (CSV).
        file_date: The file's name holds a date, which times since midnight can refer to.
    """
    present = [value for value in values if value is not ABSENT]
    valued = [value for value in present if value is not None]
    kinds = {kind_of(value) for value in valued}
    base = FieldMapping(target=target, path=path)
    if not valued:
        built = FieldGuess({}, replace(base, comment="no value in the sample"), required=False)
    elif kinds == {"boolean"}:
        built = FieldGuess({"type": "boolean"}, base, required=True)
    elif kinds == {"number"}:
        built = _numbers(list(map(str, valued)), base, cast=None, file_date=file_date)
    elif kinds == {"string"}:
        built = _texts(list(map(str, valued)), base, lexical=lexical, file_date=file_date)
    elif kinds == {"array"}:
        built = _pairs(valued, base) or FieldGuess(
            {"type": "array", **_items(valued)}, base, required=True
        )
    else:
        built = FieldGuess({}, base, required=True)
    schema = dict(built.schema)
    if len(present) > len(valued) and "type" in schema and not lexical:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    required = len(present) == len(values) and bool(valued)
    if lexical:
        required = len(valued) == len(values) and bool(valued)
    return FieldGuess(schema, built.mapping, required, built.notes)


def anything(built: FieldGuess, *, lexical: bool) -> FieldGuess:
    """The same field with whatever value: text where text is all there is."""
    mapping = FieldMapping(target=built.mapping.target, path=built.mapping.path)
    return FieldGuess({"type": "string"} if lexical else {}, mapping, built.required)


def _texts(values: list[str], base: FieldMapping, *, lexical: bool, file_date: bool) -> FieldGuess:
    if all(map(grammar.NUMBER_PATTERN.fullmatch, values)) and (
        lexical or any("." in value for value in values) or _QUANTITY_NAME.search(base.target)
    ):
        return _numbers(values, base, cast=None if lexical else Cast.NUMBER, file_date=file_date)
    if lexical and set(values) <= {"true", "false"}:
        return FieldGuess({"type": "boolean"}, base, required=True)
    if all(map(_ISO_TIME.fullmatch, values)):
        return _iso_times(values, base)
    if all(map(_ISO_DATE.fullmatch, values)):
        return FieldGuess(
            {"type": "string", "format": "date"},
            replace(base, comment=_range(sorted(values))),
            required=True,
        )
    distinct = sorted(set(values))
    if len(distinct) == 1:
        comment = f"always {distinct[0][:40]!r} in the sample"
        return FieldGuess({"type": "string"}, replace(base, comment=comment), required=True)
    if notes := _nearly(values, base.target):
        return FieldGuess({"type": "string"}, base, required=True, notes=notes)
    few = len(distinct) <= MOST_ENUM_VALUES
    if few and len(values) >= len(distinct) * _LEAST_PER_ENUM_VALUE:
        return FieldGuess(
            {"type": "string", "enum": distinct},
            replace(base, comment=f"CONFIRM: only the {len(distinct)} values seen"),
            required=True,
            notes=(f"{base.target}: only the {len(distinct)} values seen are good; confirm",),
        )
    return FieldGuess({"type": "string"}, base, required=True)


def _nearly(values: list[str], target: str) -> tuple[str, ...]:
    """A note for text that would be numbers or times but for a few values."""
    for pattern, kind in ((grammar.NUMBER_PATTERN, "number"), (_ISO_TIME, "time")):
        odd = [value for value in values if not pattern.fullmatch(value)]
        if 0 < len(odd) <= _FEW_ODD_VALUES * len(values):
            note = (
                f"{target}: text, though all but {len(odd)} of {len(values)} values are {kind}s; "
                f"if such as {odd[0][:40]!r} are bad, make it a {kind} in the schema"
            )
            return (note,)
    return ()


def _iso_times(values: list[str], base: FieldMapping) -> FieldGuess:
    with_offset = all(value.endswith("Z") or value[-6] in "+-" for value in values)
    schema = {"type": "string", "format": "date-time"}
    comment = _range(sorted(values))
    if with_offset:
        return FieldGuess(schema, replace(base, comment=comment), required=True)
    clock = local_clock([_second_of_day(value) for value in values])
    zone, why = ("UTC", "") if clock is None else (clock.zone, f": {clock.reason}")
    note = f"{base.target}: times without an offset are taken as {zone}{why}; confirm the zone"
    mapping = replace(
        base, time=TimeMapping(zone=zone), comment=f"CONFIRM the zone{why}; {comment}"
    )
    return FieldGuess(schema, mapping, required=True, notes=(note,))


def _numbers(
    values: list[str], base: FieldMapping, *, cast: Cast | None, file_date: bool
) -> FieldGuess:
    numbers = [Decimal(value) for value in values]
    seen = f"observed {_shown(min(numbers))} to {_shown(max(numbers))}"
    if all(_is_integer_token(value) for value in values):
        if any(not -_INT64 <= number < _INT64 for number in numbers):
            return FieldGuess(
                {"type": "number"}, replace(base, cast=cast, comment=seen), required=True
            )
        built = _time(list(map(int, values)), base, cast=cast, file_date=file_date)
        if built is not None:
            return built
        mapping = replace(base, cast=cast, comment=seen)
        return FieldGuess({"type": "integer"}, mapping, required=True)
    mapping = replace(base, cast=cast, comment=seen)
    parts = [_DECIMAL.fullmatch(value) for value in values]
    if all(parts):
        scale = max(len(part[2] or "") for part in parts if part)
        whole = max(len(part[1].lstrip("0")) for part in parts if part)
        if whole + scale <= 16:
            return FieldGuess(
                {"type": "number", "arrow": f"decimal128(18, {scale})"}, mapping, required=True
            )
    return FieldGuess({"type": "number"}, mapping, required=True)


def _time(
    counts: list[int], base: FieldMapping, *, cast: Cast | None, file_date: bool
) -> FieldGuess | None:
    """The counts as instants, if their size and order (or their name) say so."""
    least, most = min(counts), max(counts)
    named = bool(_TIME_NAME.search(base.target))
    rising = sum(later >= earlier for earlier, later in itertools.pairwise(counts))
    in_order = len(counts) > 2 and rising >= 0.9 * (len(counts) - 1)
    target = base.target
    schema = {"type": "string", "format": "date-time"}
    for unit in TimeUnit:
        per_second = 1_000_000_000 // unit.nanoseconds
        in_range = _FIRST_SECOND * per_second <= least and most < _LAST_SECOND * per_second
        close = most - least < 400 * 86_400 * per_second
        if in_range and (named or (in_order and close and unit is not TimeUnit.SECOND)):
            clock = clock_of_instants([count / per_second for count in counts])
            hours = "" if clock is None else f"; on the clock of {clock.zone}, {clock.reason}"
            mapping = replace(
                base,
                time=TimeMapping(unit=unit),
                cast=cast,
                comment=f"CONFIRM: {unit.value} since 1970 UTC; observed {least} to {most}{hours}",
            )
            note = f"{target}: whole numbers taken as {unit.value} since 1970 UTC; confirm"
            return FieldGuess(schema, mapping, required=True, notes=(note,))
    unnamed = re.fullmatch(r"(column|part)_[0-9]+", target) is not None
    numbered = most - least == len(counts) - 1  # ids count up one by one, clocks do not
    if not ((named or unnamed) and file_date and in_order) or numbered:
        return None
    if least >= 0 and _DAY_MS // 10 < most < _DAY_MS:
        clock = local_clock([count / 1_000 for count in counts])
        zone, why = ("UTC", "") if clock is None else (clock.zone, f": {clock.reason}")
        time = TimeMapping(
            unit=TimeUnit.MILLISECOND, since=Since.MIDNIGHT, zone=zone, date="file:date"
        )
        mapping = replace(
            base,
            time=time,
            cast=cast,
            comment=f"CONFIRM the zone{why}; observed {least} to {most}",
        )
        note = (
            f"{target}: taken as ms since midnight of the file's date in {zone}{why}; "
            "confirm the zone"
        )
        return FieldGuess(schema, mapping, required=True, notes=(note,))
    return None


def _second_of_day(text: str) -> float:
    """Of an ISO 8601 time, whose clock stands at the same place in every one."""
    return int(text[11:13]) * 3_600 + int(text[14:16]) * 60 + int(text[17:19])


def _pairs(arrays: Sequence[list[Any]], base: FieldMapping) -> FieldGuess | None:
    """Levels of a book: arrays of a price and a size each."""
    items = [item for array in arrays for item in array]
    if not (_LADDER_NAME.fullmatch(base.target) and items):
        return None
    if not all(isinstance(item, list) and len(item) == 2 for item in items):
        return None
    kinds = {kind_of(value) for item in items for value in item}
    if len(kinds) != 1 or not all(
        grammar.NUMBER_PATTERN.fullmatch(str(value)) for item in items for value in item
    ):
        return None
    cast = Cast.NUMBER if kinds == {"string"} else None
    parts, properties = [], {}
    for element, name in enumerate(("price", "size")):
        part = FieldMapping(target=name, element=element)
        values = [str(item[element]) for item in items]
        guessed = _numbers(values, replace(part, target="level"), cast=cast, file_date=False)
        # Numbers that stand in one array are read alike.
        properties[name] = guessed.schema if cast else {"type": "number"}
        parts.append(replace(part, cast=cast))
    item_schema = {"type": "object", "properties": properties, "required": ["price", "size"]}
    mapping = replace(
        base,
        each=FieldMapping(target="item", fields=tuple(parts)),
        comment=f"up to {max(map(len, arrays))} levels, price first",
    )
    return FieldGuess({"type": "array", "items": item_schema}, mapping, required=True)


def _is_integer_token(value: str) -> bool:
    return re.fullmatch(grammar.INTEGER, value) is not None


def _items(arrays: Sequence[list[Any]]) -> dict[str, Any]:
    """The schema of the items of arrays, where they are of one kind."""
    items = [item for array in arrays for item in array]
    kinds = Counter(map(kind_of, items))
    if len(kinds) != 1:
        return {}
    (kind,) = kinds
    if kind == "number":
        integers = all(_is_integer_token(str(item)) and abs(int(item)) < _INT64 for item in items)
        return {"items": {"type": "integer" if integers else "number"}}
    if kind in ("string", "boolean"):
        return {"items": {"type": kind}}
    if kind == "array":
        inner = _items(items)
        return {"items": {"type": "array", **inner}} if inner else {}
    return {}


def _range(ordered: Sequence[str]) -> str:
    return f"observed {ordered[0]} to {ordered[-1]}"


def _shown(number: Decimal) -> str:
    return f"{number:f}" if abs(number.adjusted()) < 30 else str(number)
