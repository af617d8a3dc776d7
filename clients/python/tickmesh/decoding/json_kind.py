"""Rows of one kind of record from JSON texts."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tickmesh.decoding.arrow import any_true, int64_array, pc
from tickmesh.decoding.conversion.cells import Converted, Failures
from tickmesh.decoding.conversion.composition import Composed, EachConverter, element_part
from tickmesh.decoding.conversion.fields import FieldConverter, Target, days_of
from tickmesh.decoding.json_documents import read_record, split_path, value_at
from tickmesh.decoding.json_wanted import open_reader
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
from tickmesh.decoding.source_spec import Explode, FieldMapping, RecordKind, SourceSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array
    from tickmesh.decoding.json_found import JsonColumns
    from tickmesh.decoding.rows import Part
    from tickmesh.decoding.schema_facts import SchemaFacts


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
        self._fields = {
            mapping.target: Composed.of(mapping, targets[mapping.target], self._leaf)
            for mapping in kind.fields
        }
        self._explode_constants = [
            {
                target: Constant(FieldMapping(target=target, constant=value), targets[target], name)
                for target, value in explode.constants
            }
            for explode in kind.explode
        ]
        leaves = [leaf for field in self._fields.values() for leaf in field.leaves]
        self._reader = open_reader(leaves, kind.explode, spec, prefix=self._prefix)

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
            self._fill(rows, read)
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
        for target, constant in constants.items():
            rows.columns[target] = constant.column(len(records))
        self._fill(rows, read, elements=elements)
        return rows

    def _fill(self, rows: KindRows, read: JsonColumns, *, elements: Array | None = None) -> None:
        """Fill the fields of rows, each a record or one of the elements."""
        for target, field in self._fields.items():
            rows.columns[target] = field.convert(
                lambda part: self._part(part, read, rows.records, elements)
            )

    def _judge_presence(self, texts: Array, read: JsonColumns, rows: KindRows) -> None:
        """Tell null from absent where the verdict depends on it: JSON can, columns cannot."""
        for field in self._fields.values():
            converter = field.leaf
            if converter is None or isinstance(converter, Constant):
                continue
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


def _rows_of(column: Array, records: NDArray[np.int64]) -> Array:
    if len(records) == len(column) and bool((records == np.arange(len(column))).all()):
        return column
    return column.take(int64_array(records))
