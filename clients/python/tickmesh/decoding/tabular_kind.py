"""Rows of one kind of record from columns: CSV, Parquet and Arrow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tickmesh.decoding.arrow import nulls, pc
from tickmesh.decoding.conversion.composition import Composed, EachConverter
from tickmesh.decoding.conversion.fields import FieldConverter, Target, days_of
from tickmesh.decoding.json_found import MAX_EXTRA_NAMES, OTHER_EXTRAS
from tickmesh.decoding.rows import Constant, FileName, KindRows, days, targets_of
from tickmesh.decoding.source_spec import (
    Extras,
    FieldMapping,
    Format,
    RecordKind,
    SourceSpec,
    SourceSpecError,
)

if TYPE_CHECKING:
    from tickmesh.decoding.arrow import Array
    from tickmesh.decoding.conversion.cells import Converted
    from tickmesh.decoding.rows import Part
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
        self._lexical = lexical
        self._decimal = spec.csv.decimal
        self._fields = {
            mapping.target: Composed.of(mapping, targets[mapping.target], self._leaf)
            for mapping in kind.fields
        }
        self._read = {leaf.path for leaf in kind.leaves} | {leaf.day_path for leaf in kind.leaves}
        self._read |= {condition.path for condition in spec.conditions if condition is not None}
        self._read |= set(spec.ignore)

    def _leaf(self, mapping: FieldMapping, target: Target) -> Part:
        if mapping.each is not None:
            if self._lexical:
                raise SourceSpecError("a CSV record holds no arrays", key=f"fields.{target.name}")
            return EachConverter(mapping, target, lexical=False)
        if mapping.path is None:
            return Constant(mapping, target, self._name)
        return FieldConverter(mapping, target, lexical=self._lexical, decimal=self._decimal)

    def rows(self, columns: pa.RecordBatch) -> KindRows:
        """The rows of some records."""
        rows = KindRows({}, np.arange(columns.num_rows, dtype=np.int64))
        for target, field in self._fields.items():
            rows.columns[target] = field.convert(lambda part: self._part(part, columns))
        self._note_extras(columns, rows)
        return rows

    def _part(self, part: Part, columns: pa.RecordBatch) -> Converted:
        """A field, or a part of one."""
        if isinstance(part, Constant):
            return part.column(columns.num_rows)
        mapping = part.mapping
        assert mapping.path is not None
        column = _column(columns, mapping.path)
        if isinstance(part, EachConverter):
            return part.convert(column)
        day = days(mapping, self._name, columns.num_rows)
        if mapping.day_path is not None:
            day = days_of(_column(columns, mapping.day_path))
        return part.convert(column, day=day)

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
