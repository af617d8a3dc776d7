"""From a raw column to the column of one schema field, as its mapping says."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import nulls, pc
from tickmesh.decoding.conversion import cells, grammar, numbers, scaling, times
from tickmesh.decoding.conversion.cells import (
    Converted,
    Failures,
    Outcome,
    all_failed,
    convert_the_rest,
)
from tickmesh.decoding.source_spec import Case, Cast, FieldMapping, Since, SourceSpecError, TimeUnit

if TYPE_CHECKING:
    from tickmesh.decoding.arrow import Array

SCALE_KEY: Final = b"tickmesh.scale"
ENCODING_KEY: Final = b"tickmesh.encoding"


@dataclass(frozen=True, slots=True)
class Target:
    """A schema field as conversions see it.

    Attributes:
        name: Its name.
        type: Its Arrow type.
        scale: Digits after the point of a scaled integer; None for an ordinary field.
        json_text: The field holds any JSON value, as JSON text.
        integer: The schema says the value is an integer, though Arrow has it as an instant.
    """

    name: str
    type: Any
    scale: int | None = None
    json_text: bool = False
    integer: bool = False

    @classmethod
    def of(cls, field: pa.Field[Any], *, integer: bool) -> Target:
        """The target that an Arrow field describes."""
        metadata = field.metadata or {}
        scale = metadata.get(SCALE_KEY)
        return cls(
            name=field.name,
            type=field.type,
            scale=None if scale is None else int(scale),
            json_text=metadata.get(ENCODING_KEY) == b"json",
            integer=integer,
        )

    @property
    def number_type(self) -> pa.DataType:
        """The type numbers are read as: the digits of a scaled integer are those of a decimal."""
        return self.type if self.scale is None else pa.decimal128(18, self.scale)


class FieldConverter:
    """Converts raw columns for one field."""

    def __init__(
        self, mapping: FieldMapping, target: Target, *, lexical: bool, decimal: str = "."
    ) -> None:
        """Prepare the conversion.

        Args:
            mapping: Where the values come from and what is done with them.
            target: The field.
            lexical: Text is how any value is written (CSV).
            decimal: What stands before the fraction of a number in text.
        """
        self.mapping = mapping
        self.target = target
        self._lexical = lexical or mapping.constant is not None or mapping.file_group is not None
        self._comma = decimal == ","
        self._factor = scaling.factor_of(
            divide_by=mapping.divide_by, multiply_by=mapping.multiply_by
        )
        self._check()

    def convert(self, column: Array, *, day: Array | None = None) -> Converted:
        """Convert a raw column.

        Args:
            column: Raw values.
            day: ``date32`` of each row, for times since local midnight.
        """
        column = _plain(column)
        if pt.is_null(column.type):
            return Converted(nulls(len(column), self.target.type))
        converted = Converted(column)
        if self.mapping.separator is not None or self.mapping.extract is not None:
            converted = converted.then(self._cut)
        if self.mapping.null_values:
            converted = converted.then(self._without_null_values)
        if self.mapping.case is not None:
            converted = converted.then(self._in_case)
        if self.mapping.values:
            converted = converted.then(self._mapped)
        if self._comma and pt.is_string(column.type) and self._is_of_numbers:
            converted = converted.then(self._with_points)
        converted = converted.then(lambda values: self._to_target(values, day))
        if self._comma and pt.is_string(column.type):
            converted.failures = [
                Failures(failures.code, failures.rows, column.take(failures.rows))
                for failures in converted.failures
            ]
        if converted.failures and not self._lexical and pt.is_string(column.type):
            converted.failures = [_quoted(failures) for failures in converted.failures]
        return converted

    def _check(self) -> None:
        mapping, target = self.mapping, self.target
        key = f"fields.{target.name}"
        if mapping.extract is not None:
            try:
                pc.extract_regex(pa.array([""]), mapping.extract)
            except pa.ArrowInvalid as error:
                raise SourceSpecError(
                    f"no expression of RE2: {str(error)[:200]}", key=f"{key}.extract"
                ) from None
        if mapping.time is not None and not (
            pt.is_timestamp(target.type) or pt.is_date(target.type)
        ):
            raise SourceSpecError(
                f"unit and zone make an instant; the schema's field has the type {target.type}",
                key=key,
            )
        if self._factor != 1 and not numbers.is_number(target.number_type):
            raise SourceSpecError(
                f"divide_by and multiply_by make numbers; the schema's field has the type "
                f"{target.type}",
                key=key,
            )

    def _cut(self, column: Array) -> Converted:
        """One part of each text; a text that lacks it fails."""
        if not pt.is_string(column.type):
            return all_failed(column, cells.NO_SUCH_PART, pa.string())
        mapping = self.mapping
        if mapping.extract is not None:
            parts = pc.struct_field(pc.extract_regex(column, mapping.extract), "value")
        else:
            assert mapping.part is not None
            pieces = pc.split_pattern(column, pattern=mapping.separator)
            lengths = pc.list_value_length(pieces)
            place = mapping.part
            there = pc.greater(lengths, place) if place >= 0 else pc.greater_equal(lengths, -place)
            starts = pa.array(np.asarray(pieces.offsets)[:-1], pa.int64())
            places = pc.add(starts, place if place >= 0 else pc.add(lengths, place))
            kept = pc.if_else(there.fill_null(False), places, pa.scalar(None, pa.int64()))
            parts = pieces.values.take(kept)
        missing = pc.and_(column.is_valid(), parts.is_null())
        converted = cells.fail_where(column, missing, cells.NO_SUCH_PART, parts)
        converted.coercions[cells.VALUE_EXTRACTED] = len(parts) - converted.values.null_count
        return converted

    def _without_null_values(self, column: Array) -> Converted:
        listed = pa.array(self.mapping.null_values, pa.string())
        if not pt.is_string(column.type):
            if not numbers.is_number(column.type):
                return Converted(column)
            listed = numbers.from_text(listed, column.type).values.drop_null()
        hit = pc.is_in(column, value_set=listed)
        count = hit.true_count
        if not count:
            return Converted(column)
        kept = pc.if_else(hit, pa.scalar(None, column.type), column)
        converted = Converted(kept)
        converted.coercions[cells.NULL_VALUE] = count
        return converted

    @property
    def _is_of_numbers(self) -> bool:
        time = self.mapping.time
        return numbers.is_number(self.target.number_type) or (
            time is not None and time.unit is not None
        )

    def _with_points(self, column: Array) -> Converted:
        """Numbers with a decimal comma as numbers with a point; those with a point fail."""
        commas = pc.match_substring(column, ",")
        points = pc.match_substring(column, ".")
        texts = pc.replace_substring(column, ",", ".")
        converted = cells.fail_where(column, points, cells.NOT_A_NUMBER, texts)
        converted.coercions[cells.DECIMAL_COMMA] = pc.and_not(commas, points).true_count
        return converted

    def _in_case(self, column: Array) -> Converted:
        if not pt.is_string(column.type):
            return Converted(column)
        change = pc.utf8_upper if self.mapping.case is Case.UPPER else pc.utf8_lower
        changed = change(column)
        converted = Converted(changed)
        converted.coercions[cells.CASE_CHANGED] = pc.not_equal(changed, column).true_count
        return converted

    def _mapped(self, column: Array) -> Converted:
        texts = column if pt.is_string(column.type) else column.cast(pa.string())
        raw, mapped = zip(*self.mapping.values, strict=True)
        place = pc.index_in(texts, value_set=pa.array(raw, pa.string()))
        values = pa.array(mapped, pa.string()).take(place)
        unknown = pc.and_(column.is_valid(), place.is_null())
        converted = cells.fail_where(column, unknown, cells.UNMAPPED_VALUE, values)
        converted.coercions[cells.VALUE_MAPPED] = len(values) - converted.values.null_count
        return converted

    def _to_target(self, column: Array, day: Array | None) -> Converted:
        target = self.target
        lexical = self._lexical or bool(self.mapping.values)
        if target.json_text:
            return _as_json_text(column, lexical=lexical)
        kind = target.type
        if pt.is_timestamp(kind):
            return self._instants(column, day, lexical=lexical).then(
                lambda instants: times.to_unit(instants, kind, raw=column)
            )
        if pt.is_date(kind):
            return _dates(column, kind)
        if pt.is_time(kind):
            return _times_of_day(column, kind)
        if pt.is_duration(kind):
            counts = Target(target.name, pa.int64())
            counted = FieldConverter(self.mapping, counts, lexical=self._lexical)
            return counted._numbers(column, lexical=lexical).then(
                lambda values: Converted(values.cast(kind))
            )
        if numbers.is_number(target.number_type):
            return self._numbers(column, lexical=lexical)
        if pt.is_boolean(kind):
            return _booleans(column, lexical=lexical)
        if _is_text(kind) or (pt.is_dictionary(kind) and _is_text(kind.value_type)):
            return self._texts(column).then(lambda texts: Converted(_encoded(texts, kind)))
        if pt.is_binary(kind) or pt.is_large_binary(kind):
            return _binaries(column, kind)
        return _nested(column, kind)

    def _instants(self, column: Array, day: Array | None, *, lexical: bool) -> Converted:
        time = self.mapping.time
        clock = None
        if time is not None and time.zone is not None:
            clock = times.Clock(time.zone, time.ambiguous, time.nonexistent)
        if pt.is_timestamp(column.type):
            return times.from_timestamps(column, clock=clock)
        if time is not None and time.unit is not None:
            if pt.is_string(column.type) and not self._text_is_number(lexical):
                return all_failed(column, cells.NOT_A_NUMBER, times.INSTANT)
            if time.since is Since.EPOCH:
                return times.since_epoch(column, time.unit)
            assert day is not None
            assert clock is not None
            return times.since_midnight(column, time.unit, day=day, clock=clock)
        if self.target.integer and (pt.is_integer(column.type) or lexical):
            # The schema itself says: an integer of the Arrow type's unit.
            return times.since_epoch(column, TimeUnit(self.target.type.unit))
        if pt.is_string(column.type):
            return times.from_text(column, clock=clock)
        return all_failed(column, cells.NOT_A_TIME, times.INSTANT)

    def _numbers(self, column: Array, *, lexical: bool) -> Converted:
        target = self.target.number_type
        if pt.is_string(column.type):
            if not self._text_is_number(lexical):
                return all_failed(column, cells.NOT_A_NUMBER, self.target.type)
            if self._factor == 1:
                converted = numbers.from_text(column, target)
            else:
                converted = scaling.scaled(column, target, factor=self._factor)
            if self.mapping.cast is Cast.NUMBER and not lexical:
                count = len(column) - converted.values.null_count
                converted.coercions[cells.NUMBER_FROM_TEXT] += count
        elif numbers.is_number(column.type):
            if self._factor == 1:
                converted = numbers.from_numbers(column, target)
            else:
                converted = scaling.scaled(column, target, factor=self._factor)
        elif pt.is_timestamp(column.type) and pt.is_integer(target):
            converted = numbers.from_numbers(column.cast(pa.int64()), target)
        else:
            return all_failed(column, cells.NOT_A_NUMBER, self.target.type)
        if self.target.scale is not None:
            converted.values = scaling.digits(converted.values).cast(self.target.type)
        return converted

    def _text_is_number(self, lexical: bool) -> bool:  # noqa: FBT001 - the caller's own word
        return lexical or self.mapping.cast is Cast.NUMBER

    def _texts(self, column: Array) -> Converted:
        if pt.is_string(column.type):
            return Converted(column)
        if self.mapping.cast is not Cast.TEXT:
            return all_failed(column, cells.NOT_A_STRING, pa.string())
        texts = pa.array([_as_text(value) for value in column.to_pylist()], pa.string())
        converted = Converted(texts)
        converted.coercions[cells.TEXT_FROM_NUMBER] = len(texts) - texts.null_count
        return converted


def _quoted(failures: Failures) -> Failures:
    raw = pa.array([json.dumps(text, ensure_ascii=False) for text in failures.raw.to_pylist()])
    return Failures(failures.code, failures.rows, raw)


def _as_text(value: object) -> str | None:
    return None if value is None else cells.raw_text(value)


def _is_text(kind: pa.DataType) -> bool:
    return pt.is_string(kind) or pt.is_large_string(kind)


def _plain(column: Array) -> Array:
    if pt.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return column.cast(pa.string()) if pt.is_large_string(column.type) else column


def _encoded(texts: Array, kind: pa.DataType) -> Array:
    if pt.is_dictionary(kind):
        return texts.dictionary_encode().cast(kind)
    return texts.cast(kind)


def _booleans(column: Array, *, lexical: bool) -> Converted:
    if pt.is_boolean(column.type):
        return Converted(column)
    if not (lexical and pt.is_string(column.type)):
        return all_failed(column, cells.NOT_A_BOOLEAN, pa.bool_())
    true, false = pc.equal(column, "true"), pc.equal(column, "false")
    known = pc.or_(true, false)
    values = pc.if_else(known, true, pa.scalar(None, pa.bool_()))
    wrong = pc.and_(column.is_valid(), pc.invert(known))
    return cells.fail_where(column, wrong, cells.NOT_A_BOOLEAN, values)


def _dates(column: Array, kind: pa.DataType) -> Converted:
    if pt.is_date(column.type):
        return Converted(column.cast(kind))
    if pt.is_string(column.type):
        return times.dates_from_text(column).then(lambda days: Converted(days.cast(kind)))
    return all_failed(column, cells.NOT_A_DATE, kind)


def _times_of_day(column: Array, kind: pa.DataType) -> Converted:
    if pt.is_time(column.type):
        times_of_day = Converted(column.cast(times.TIME_OF_DAY))
    elif pt.is_string(column.type):
        times_of_day = times.times_of_day_from_text(column)
    else:
        return all_failed(column, cells.NOT_A_TIME, kind)
    return times_of_day.then(lambda clock: times.to_unit(clock, kind, raw=column))


def _binaries(column: Array, kind: pa.DataType) -> Converted:
    if pt.is_binary(column.type) or pt.is_large_binary(column.type):
        return Converted(column.cast(kind))
    if not pt.is_string(column.type):
        return all_failed(column, cells.NOT_THE_TYPE, kind)

    def decode(text: Any) -> Outcome:
        try:
            return Outcome(base64.b64decode(text, validate=True))
        except (binascii.Error, ValueError):
            return Outcome(failure=cells.NOT_THE_TYPE)

    return convert_the_rest(column, nulls(len(column), kind), None, decode)


def _as_json_text(column: Array, *, lexical: bool) -> Converted:
    """Any value as JSON text, for fields whose schema admits several types."""
    texts = [
        None if value is None else _json_text(value, lexical=lexical)
        for value in column.to_pylist()
    ]
    return Converted(pa.array(texts, pa.string()))


def _json_text(value: object, *, lexical: bool) -> str:
    if (
        lexical
        and isinstance(value, str)
        and (value in ("true", "false") or grammar.NUMBER_PATTERN.fullmatch(value))
    ):
        return value
    return json.dumps(value, ensure_ascii=False, default=str)


def _nested(column: Array, kind: Any) -> Converted:
    """Structs, lists and maps: converted part by part; a value with a failed part fails whole."""
    if column.type == kind:
        return Converted(column)
    if pt.is_struct(kind) and pt.is_struct(column.type):
        parts = []
        broken = pa.repeat(False, len(column))
        for field in kind:
            place = column.type.get_field_index(field.name)
            if place < 0:
                parts.append(nulls(len(column), field.type))
                continue
            part = convert_plainly(pc.struct_field(column, field.name), field)
            broken = pc.or_(broken, _failed(part, len(column)))
            parts.append(part.values)
        built: Array = pa.StructArray.from_arrays(parts, fields=list(kind), mask=column.is_null())
        return cells.fail_where(column, broken, cells.NOT_THE_TYPE, built)
    if pt.is_list(kind) and (pt.is_list(column.type) or pt.is_large_list(column.type)):
        column = column.cast(pa.list_(column.type.value_type))
        items = convert_plainly(column.flatten(), kind.value_field)
        lengths = pc.fill_null(pc.list_value_length(column), 0)
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
        built = pa.ListArray.from_arrays(offsets, items.values, mask=column.is_null()).cast(kind)
        parents = pc.list_parent_indices(column)
        failed = parents.filter(_failed(items, len(items.values))).unique()
        rows = pa.array(range(len(column)), parents.type)
        broken = pc.is_in(rows, value_set=failed)
        return cells.fail_where(column, broken, cells.NOT_THE_TYPE, built)
    if pt.is_map(kind) and pt.is_map(column.type) and column.type.key_type == kind.key_type:
        return _map(column, kind)
    try:
        return Converted(column.cast(kind))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return all_failed(column, cells.NOT_THE_TYPE, kind)


def _map(column: Array, kind: Any) -> Converted:
    """A map, its values converted: one value that fails makes the whole map fail."""
    entry = pa.struct([("key", kind.key_type), ("value", column.type.item_type)])
    entries = column.cast(pa.list_(entry))
    pairs = entries.flatten()
    values = convert_plainly(pc.struct_field(pairs, "value"), kind.item_field)
    lengths = pc.fill_null(pc.list_value_length(entries), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(lengths)])
    keys = pc.struct_field(pairs, "key")
    # The stubs know offsets of 64 bits only, which is what maps do not have.
    maps: Any = pa.MapArray
    built = maps.from_arrays(offsets, keys, values.values, type=kind, mask=column.is_null())
    parents = pc.list_parent_indices(entries)
    failed = parents.filter(_failed(values, len(values.values))).unique()
    broken = pc.is_in(pa.array(range(len(column)), parents.type), value_set=failed)
    return cells.fail_where(column, broken, cells.NOT_THE_TYPE, built)


def convert_plainly(column: Array, field: pa.Field[Any]) -> Converted:
    """Convert a typed column to a field without any mapping of its own."""
    mapping = FieldMapping(target=field.name, path=field.name)
    converter = FieldConverter(mapping, Target.of(field, integer=False), lexical=False)
    return converter.convert(column)


def _failed(converted: Converted, length: int) -> Array:
    rows = [failures.rows for failures in converted.failures]
    if not rows:
        return pa.repeat(False, length)
    return pc.is_in(pa.array(range(length), pa.int64()), value_set=pa.concat_arrays(rows))


def days_of(column: Array) -> Array:
    """Raw local dates (``20131009``, ``2013-10-09`` or Arrow dates) as ``date32``."""
    column = _plain(column)
    if pt.is_date(column.type):
        return column.cast(pa.date32())
    if not pt.is_string(column.type):
        column = column.cast(pa.string())
    return convert_the_rest(column, nulls(len(column), pa.date32()), None, _day).values


def _day(text: Any) -> Outcome:
    try:
        return Outcome(date.fromisoformat(text))
    except ValueError:
        return Outcome(failure=cells.NOT_A_DATE)
