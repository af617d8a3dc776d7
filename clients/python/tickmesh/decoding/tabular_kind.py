"""Rows of one kind of record from columns: CSV, Parquet and Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tickmesh.decoding.arrow import nulls, pc
from tickmesh.decoding.conversion.fields import FieldConverter, days_of
from tickmesh.decoding.json_found import MAX_EXTRA_NAMES, OTHER_EXTRAS
from tickmesh.decoding.rows import Constant, FileName, KindRows, days, targets_of
from tickmesh.decoding.source_spec import Extras, Format, RecordKind, SourceSpec

if TYPE_CHECKING:
    from tickmesh.decoding.arrow import Array
    from tickmesh.decoding.schema_facts import SchemaFacts


class TabularKind:
    """Maps columns by name; one record is one row."""

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
        self._locate_extras = spec.extras is Extras.QUARANTINE
        lexical = spec.format is Format.CSV
        self._constants = {
            mapping.target: Constant(mapping, targets[mapping.target], name)
            for mapping in kind.fields
            if mapping.path is None
        }
        self._converters = [
            FieldConverter(
                mapping, targets[mapping.target], lexical=lexical, decimal=spec.csv.decimal
            )
            for mapping in kind.fields
            if mapping.path is not None
        ]
        mappings = [converter.mapping for converter in self._converters]
        self._read = {mapping.path for mapping in mappings} | {
            mapping.day_path for mapping in mappings
        }
        self._read |= {condition.path for condition in spec.conditions if condition is not None}
        self._read |= set(spec.ignore)

    def rows(self, columns: pa.RecordBatch) -> KindRows:
        """The rows of some records."""
        length = columns.num_rows
        rows = KindRows({}, np.arange(length, dtype=np.int64))
        for target, constant in self._constants.items():
            rows.columns[target] = constant.column(length)
        for converter in self._converters:
            mapping = converter.mapping
            day = days(mapping, self._name, length)
            path = mapping.day_path
            if path is not None:
                day = days_of(_column(columns, path))
            assert mapping.path is not None
            column = _column(columns, mapping.path)
            rows.columns[mapping.target] = converter.convert(column, day=day)
        self._note_extras(columns, rows)
        return rows

    def _note_extras(self, columns: pa.RecordBatch, rows: KindRows) -> None:
        for place, name in enumerate(columns.schema.names):
            if name in self._read:
                continue
            column = columns.column(place)
            count = len(column) - column.null_count
            if count:
                known = len(rows.extras) < MAX_EXTRA_NAMES
                rows.extras[name if known else OTHER_EXTRAS] += count
                if self._locate_extras:
                    rows.extra_records.update(pc.indices_nonzero(column.is_valid()).to_pylist())


def _column(columns: pa.RecordBatch, path: str) -> Array:
    place = columns.schema.get_field_index(path)
    return nulls(columns.num_rows, pa.null()) if place < 0 else columns.column(place)
