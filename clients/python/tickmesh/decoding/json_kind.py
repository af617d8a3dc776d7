"""Rows of one kind of record from JSON texts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import any_true, int64_array, pc
from tickmesh.decoding.conversion import numbers
from tickmesh.decoding.conversion.cells import Converted, Failures
from tickmesh.decoding.conversion.composition import Composed, EachConverter, element_part
from tickmesh.decoding.conversion.fields import FieldConverter, Target, days_of
from tickmesh.decoding.json_columns import JsonReader
from tickmesh.decoding.json_documents import read_record, split_path, value_at
from tickmesh.decoding.json_found import JsonColumns
from tickmesh.decoding.jsonl import JSON_COLUMN, prefix_path
from tickmesh.decoding.mapped import ABSENT, NULL
from tickmesh.decoding.rows import (
    Constant,
    FileName,
    KindRows,
    days,
    one_after_another,
    targets_of,
)
from tickmesh.decoding.source_spec import (
    Cast,
    Explode,
    Extras,
    FieldMapping,
    RecordKind,
    SourceSpec,
    SourceSpecError,
    TimeUnit,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array
    from tickmesh.decoding.schema_facts import SchemaFacts

Part: TypeAlias = "Constant | FieldConverter | EachConverter"
"""What fills a part of a composed field."""

_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)")


class JsonKind:
    """Maps values by path; the elements of an exploded array are rows of their own."""

    def __init__(
        self,
        kind: RecordKind,
        spec: SourceSpec,
        schema: pa.Schema,
        facts: SchemaFacts,
        name: FileName,
    ) -> None:
        targets = targets_of(kind, schema, facts)
        self._name = name
        self._facts = facts
        self._explode = kind.explode
        prefix = spec.prefix.names if spec.prefix else ()
        self._prefix = frozenset(map(prefix_path, prefix))
        plain = [mapping for mapping in kind.fields if not mapping.is_composed]
        self._constants = {
            mapping.target: Constant(mapping, targets[mapping.target], name)
            for mapping in plain
            if mapping.path is None and mapping.element is None
        }
        self._composed = {
            mapping.target: Composed.of(mapping, targets[mapping.target], self._leaf)
            for mapping in kind.fields
            if mapping.is_composed
        }
        self._explode_constants = [
            {
                target: Constant(FieldMapping(target=target, constant=value), targets[target], name)
                for target, value in explode.constants
            }
            for explode in kind.explode
        ]
        self._converters = [
            FieldConverter(mapping, targets[mapping.target], lexical=mapping.path in self._prefix)
            for mapping in plain
            if mapping.path is not None or mapping.element is not None
        ]
        self._reader = self._open_reader(spec)

    def _leaf(self, mapping: FieldMapping, target: Target) -> Part:
        if mapping.each is not None:
            return EachConverter(mapping, target, lexical=False)
        if mapping.path is None and mapping.element is None:
            return Constant(mapping, target, self._name)
        return FieldConverter(mapping, target, lexical=mapping.path in self._prefix)

    def rows(self, columns: pa.RecordBatch) -> KindRows:
        """The rows of some records."""
        texts = columns.column(JSON_COLUMN)
        read = self._reader.read(texts)
        for path in self._prefix:
            read.columns[path] = columns.column(path)
        refused = {row for row, _, _ in read.rejects}
        for explode in self._explode:
            for row, _, raw in read.failures.get(explode.path, ()):
                if row not in refused:
                    refused.add(row)
                    message = (
                        f"expected {explode.path} to be an array of elements as the source spec "
                        f"describes them, got {raw[:80]}"
                    )
                    read.rejects.append((row, "NOT_AN_ARRAY", message))
        good = np.ones(len(texts), dtype=bool)
        good[list(refused)] = False
        if self._explode:
            parts = [
                self._exploded(read, good, explode, constants)
                for explode, constants in zip(self._explode, self._explode_constants, strict=True)
            ]
            rows = one_after_another(parts)
        else:
            records = np.flatnonzero(good)
            rows = KindRows({}, records)
            for target, constant in self._constants.items():
                rows.columns[target] = constant.column(len(records))
            for converter in self._converters:
                rows.columns[converter.mapping.target] = self._scalar(converter, read, records)
            for target, composed in self._composed.items():
                rows.columns[target] = composed.convert(
                    lambda part: self._part(part, read, records, elements=None)
                )
            self._judge_presence(texts, read, rows)
        rows.rejects = read.rejects
        rows.extras = read.extras
        rows.extra_records = read.extra_rows
        return rows

    def _scalar(
        self, converter: FieldConverter, read: JsonColumns, records: NDArray[np.int64]
    ) -> Converted:
        """A field that has one value a record, for rows of the given records."""
        mapping = converter.mapping
        assert mapping.path is not None
        day = days(mapping, self._name, len(records))
        path = mapping.day_path
        if path is not None:
            day = days_of(_rows_of(read.columns[path], records))
        column = _rows_of(read.columns[mapping.path], records)
        if converter.target.json_text and mapping.path not in self._prefix:
            return Converted(column)  # the reader has kept the JSON as it stands
        return _with_reading(converter.convert(column, day=day), mapping.path, read, records)

    def _part(
        self,
        part: Part,
        read: JsonColumns,
        records: NDArray[np.int64],
        *,
        elements: Array | None,
    ) -> Converted:
        """A part of a composed field, for rows of the given records or their elements."""
        if isinstance(part, Constant):
            return part.column(len(records))
        path = part.mapping.path
        if isinstance(part, EachConverter):
            assert path is not None
            converted = part.convert(_rows_of(read.columns[path], records))
            return _with_reading(converted, path, read, records)
        if part.mapping.element is None:
            return self._scalar(part, read, records)
        assert elements is not None
        raw = element_part(elements, part.mapping.element)
        return part.convert(raw, day=days(part.mapping, self._name, len(records)))

    def _exploded(
        self,
        read: JsonColumns,
        good: NDArray[np.bool_],
        explode: Explode,
        constants: dict[str, Constant],
    ) -> KindRows:
        arrays = read.columns[explode.path]
        if not good.all():
            arrays = pc.if_else(pa.array(good), arrays, pa.scalar(None, arrays.type))
        elements = arrays.flatten()
        records = np.asarray(pc.list_parent_indices(arrays), dtype=np.int64)
        rows = KindRows({}, records)
        for target, constant in {**self._constants, **constants}.items():
            rows.columns[target] = constant.column(len(records))
        for converter in self._converters:
            element = converter.mapping.element
            if element is None:
                converted = self._scalar(converter, read, records)
            else:
                day = days(converter.mapping, self._name, len(records))
                converted = converter.convert(element_part(elements, element), day=day)
            rows.columns[converter.mapping.target] = converted
        for target, composed in self._composed.items():
            rows.columns[target] = composed.convert(
                lambda part: self._part(part, read, records, elements=elements)
            )
        return rows

    def _judge_presence(self, texts: Array, read: JsonColumns, rows: KindRows) -> None:
        """Tell null from absent where the verdict depends on it: JSON can, columns cannot."""
        whole = [composed.leaf for composed in self._composed.values()]
        arrays = [part for part in whole if isinstance(part, EachConverter)]
        for converter in (*self._converters, *arrays):
            mapping = converter.mapping
            path = mapping.path
            if path is None or path in self._prefix:
                continue
            refuses = self._facts.refuses_null(mapping.target)
            needs = self._facts.needs_presence(mapping.target)
            column = _rows_of(read.columns[path], rows.records)
            if not (refuses or needs) or not column.null_count:
                continue
            names = split_path(path)
            failed = {
                row
                for item in rows.columns[mapping.target].failures
                for row in item.rows.to_pylist()
            }
            empty = pc.indices_nonzero(column.is_null())
            lines = texts.take(int64_array(rows.records[np.asarray(empty)]))
            # A cheap sign of an explicit null; an escaped key is read exactly to be sure.
            key = re.escape(json.dumps(names[-1], ensure_ascii=False))
            sign = pc.match_substring_regex(lines, rf"{key}\s*:\s*null|\\u")
            if refuses and not any_true(sign):
                continue
            code = NULL if refuses else ABSENT
            found = []
            for row, line, signed in zip(
                empty.to_pylist(), lines.to_pylist(), sign.to_pylist(), strict=True
            ):
                if row in failed or (refuses and not signed):
                    continue
                present = signed and value_at(read_record(line), names)[0]
                if present == refuses:
                    found.append(row)
            if found:
                raw = pa.array(["null"] * len(found), pa.string())
                rows.columns[mapping.target].failures.append(
                    Failures(code, pa.array(found, pa.int64()), raw)
                )

    def _open_reader(self, spec: SourceSpec) -> JsonReader:
        wanted: dict[str, pa.DataType] = {}
        number_texts: set[str] = set()
        json_texts: set[str] = set()
        parts = [part for composed in self._composed.values() for part in composed.leaves]
        converters = [
            *self._converters,
            *(part for part in parts if isinstance(part, FieldConverter)),
        ]
        for each in parts:
            if isinstance(each, EachConverter):
                assert each.mapping.path is not None
                wanted[each.mapping.path] = pa.list_(_element_type(each.parts))
                if any(part.mapping.cast is Cast.NUMBER for part in each.parts):
                    number_texts.add(each.mapping.path)
        for converter in converters:
            mapping = converter.mapping
            path = mapping.path
            if path is not None and path not in self._prefix:
                kind = reading_type(mapping, converter.target)
                if wanted.setdefault(path, kind) != kind:
                    raise SourceSpecError(
                        f"{path!r} is read as {wanted[path]} by another field and as {kind} here",
                        key=f"fields.{mapping.target}",
                    )
                if mapping.cast is Cast.NUMBER:
                    number_texts.add(path)
                if converter.target.json_text:
                    json_texts.add(path)
            day = mapping.day_path
            if day is not None:
                wanted.setdefault(day, pa.string())
        for path in wanted:
            outer = [other for other in wanted if other != path and _within(path, other)]
            if outer:
                raise SourceSpecError(
                    f"{path!r} and {outer[0]!r} cannot both be read: one lies within the other",
                    key="records",
                )
        elements = [each for each in converters if each.mapping.element is not None]
        for explode in self._explode:
            wanted[explode.path] = pa.list_(_element_type(elements))
            if any(each.mapping.cast is Cast.NUMBER for each in elements):
                number_texts.add(explode.path)
        for condition in spec.conditions:
            if condition is None or condition.present or condition.path in self._prefix:
                continue
            if not any(_within(condition.path, path) for path in wanted):
                whole = isinstance(condition.equals, int)
                wanted[condition.path] = pa.int64() if whole else pa.string()
        return JsonReader(
            wanted,
            number_texts=frozenset(number_texts),
            json_texts=frozenset(json_texts),
            ignore=frozenset(spec.ignore),
            extras="locate" if spec.extras is Extras.QUARANTINE else "count",
        )


def _with_reading(
    converted: Converted, path: str, read: JsonColumns, records: NDArray[np.int64]
) -> Converted:
    """The conversion, with what reading found of the path."""
    for code in sorted({code for _, code, _ in read.failures.get(path, ())}):
        raw = {row: text for row, each, text in read.failures[path] if each == code}
        rows = np.flatnonzero(np.isin(records, np.fromiter(raw, dtype=np.int64)))
        texts = pa.array([raw[record] for record in records[rows].tolist()], pa.string())
        converted.failures.append(Failures(code, int64_array(rows), texts))
    for (path_read, code), count in read.coercions.items():
        if path_read == path:
            converted.coercions[code] += count
    return converted


def _element_type(converters: Sequence[FieldConverter]) -> pa.DataType:
    """The type that the elements of an array are read as, from what reads them or parts of them."""
    parts = {
        converter.mapping.element: reading_type(converter.mapping, converter.target)
        for converter in converters
    }
    if None in parts:
        return parts[None]
    if all(isinstance(element, str) for element in parts):
        return pa.struct([pa.field(str(name), kind) for name, kind in parts.items()])
    kinds = set(parts.values())
    if len(kinds) != 1 or any(isinstance(element, str) for element in parts):
        raise SourceSpecError(
            "the parts of an array's elements must be read alike, got "
            + ", ".join(sorted(map(str, kinds))),
            key="explode",
        )
    return pa.list_(kinds.pop())


def reading_type(mapping: FieldMapping, target: Target) -> pa.DataType:
    """The Arrow type that JSON values of a mapped field are read as, before they are converted."""
    if target.json_text or mapping.cast is Cast.NUMBER:
        return pa.string()
    if mapping.values:
        return _type_of_keys([raw for raw, _ in mapping.values])
    if mapping.cast is Cast.TEXT:
        return pa.int64()
    time = mapping.time
    if time is not None and time.unit is not None:
        if time.unit is TimeUnit.SECOND:
            return pa.decimal128(38, 9)
        return pa.int64()
    if mapping.divide_by is not None or mapping.multiply_by is not None:
        return pa.decimal128(38, 9)
    return _plain_reading_type(target.number_type, integer=target.integer)


def _plain_reading_type(kind: pa.DataType, *, integer: bool = False) -> pa.DataType:
    if pt.is_timestamp(kind):
        return pa.int64() if integer else pa.string()
    if pt.is_integer(kind) or pt.is_duration(kind):
        return pa.uint64() if pt.is_uint64(kind) else pa.int64()
    if pt.is_floating(kind):
        return pa.float64()
    if numbers.is_number(kind) or pt.is_boolean(kind):
        return kind
    if pt.is_list(kind):
        return pa.list_(_reading_type_of(kind.value_field))
    if pt.is_struct(kind):
        return pa.struct([field.with_type(_reading_type_of(field)) for field in kind])
    if pt.is_map(kind):
        return pa.map_(kind.key_type, _reading_type_of(kind.item_field))
    return pa.string()


def _reading_type_of(field: pa.Field[Any]) -> pa.DataType:
    """The reading type of a nested field, a scaled integer's being that of its number."""
    return _plain_reading_type(Target.of(field, integer=False).number_type)


def _type_of_keys(keys: list[str]) -> pa.DataType:
    if all(key in ("true", "false") for key in keys):
        return pa.bool_()
    return pa.int64() if all(map(_INTEGER.fullmatch, keys)) else pa.string()


def _within(path: str, other: str) -> bool:
    """Whether one path is, or lies within, the other."""
    return path == other or path.startswith(other + ".") or other.startswith(path + ".")


def _rows_of(column: Array, records: NDArray[np.int64]) -> Array:
    if len(records) == len(column) and bool((records == np.arange(len(column))).all()):
        return column
    return column.take(int64_array(records))
