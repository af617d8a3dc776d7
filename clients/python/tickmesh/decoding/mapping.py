"""Decoded records to rows of a schema, in columns, as a source spec says."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa

from tickmesh.decoding.arrow import int64_array, nulls
from tickmesh.decoding.conversion.cells import ENCODING_UNDONE
from tickmesh.decoding.decoded import DecodedBatch, RecordReject
from tickmesh.decoding.json_documents import NotARecordError, join_path, read_record
from tickmesh.decoding.json_kind import JsonKind
from tickmesh.decoding.jsonl import JSON_COLUMN
from tickmesh.decoding.kinds import NO_KIND, kinds_of_columns, kinds_of_texts
from tickmesh.decoding.mapped import CellFailure, MappedBatch
from tickmesh.decoding.rows import FileName, KindRows
from tickmesh.decoding.schema_facts import PlainDocument, SchemaFacts
from tickmesh.decoding.side_by_side import Kind, SideBySide
from tickmesh.decoding.source_spec import Extras, FieldMapping, Format, RecordKind, SourceSpec
from tickmesh.decoding.tabular_kind import TabularKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array
    from tickmesh.decoding.conversion.cells import Converted

IDENTITY_KIND: Final = "record"


class RowMapper:
    """Maps the batches of one source to rows of one schema version."""

    def __init__(
        self,
        spec: SourceSpec,
        document: PlainDocument,
        arrow_schema: pa.Schema,
        *,
        file_name: str = "",
    ) -> None:
        """Prepare the mapping.

        Args:
            spec: The source spec the batches were decoded with.
            document: The schema.
            arrow_schema: Its Arrow projection; the mapped batches have exactly its fields.
            file_name: The source's file name, which constants may be taken from.

        Raises:
            SourceSpecError: The spec maps a field that the schema lacks, or in a way that cannot
                make its type, or the file name does not match the spec's expression.
        """
        self._spec = spec
        self._schema = arrow_schema
        self._facts = SchemaFacts(document)
        self._json = spec.format is Format.JSONL
        name = FileName(spec, file_name)
        kinds = spec.records or (_identity_kind(arrow_schema, escaped=self._json),)
        kind_type = JsonKind if self._json else TabularKind

        def open_kind(kind: RecordKind, spec: SourceSpec) -> Kind:
            return kind_type(kind, spec, arrow_schema, self._facts, name)

        self._kinds = [
            SideBySide(kind, spec, open_kind) if kind.rows else open_kind(kind, spec)
            for kind in kinds
        ]
        self._conditions = spec.conditions if spec.records else (None,)
        self._null_fields = frozenset(filter(self._facts.needs_presence, arrow_schema.names))
        self._integer_times = frozenset(
            item.name
            for item in arrow_schema
            if pa.types.is_timestamp(item.type) and self._facts.is_integer(item.name)
        )

    def map(self, decoded: DecodedBatch) -> MappedBatch:
        """Make the rows of a batch."""
        columns = decoded.columns
        work = _Work(decoded)
        kinds = self._classify(columns)
        skipped: Counter[str] = Counter()
        parts: list[KindRows] = []
        for number in (NO_KIND, *range(len(self._conditions))):
            members = np.flatnonzero(kinds == number)
            if not len(members):
                continue
            if number == NO_KIND:
                self._refuse_unmapped(columns, members, work)
            elif number >= len(self._kinds):
                skipped[self._spec.skip[number - len(self._kinds)].name] += len(members)
            else:
                parts.append(self._map_kind(number, columns, members, work))
        for name in columns.schema.names:
            if name in decoded.recoded:
                column = columns.column(name)
                work.coercions[ENCODING_UNDONE] += len(column) - column.null_count
        rows = self._assemble(parts, work)
        return MappedBatch(
            batch=rows.batch,
            record_index=rows.record_index,
            failures=rows.failures,
            rejects=tuple(sorted(work.rejects, key=lambda reject: reject.offset)),
            skipped=skipped,
            records_without_rows=work.records_without_rows,
            extras=work.extras,
            coercions=work.coercions,
            integer_times=self._integer_times,
            null_fields=self._null_fields,
        )

    def _classify(self, columns: pa.RecordBatch) -> NDArray[np.int64]:
        if len(self._conditions) == 1 and self._conditions[0] is None:
            return np.zeros(columns.num_rows, dtype=np.int64)

        def column(path: str) -> Array | None:
            place = columns.schema.get_field_index(path)
            return None if place < 0 or path == JSON_COLUMN else columns.column(place)

        if self._json:
            return kinds_of_texts(columns.column(JSON_COLUMN), column, self._conditions)
        return kinds_of_columns(column, columns.num_rows, self._conditions)

    def _refuse_unmapped(
        self, columns: pa.RecordBatch, members: NDArray[np.int64], work: _Work
    ) -> None:
        for row in members.tolist():
            code = "UNMAPPED_KIND"
            message = (
                "the record is of no kind that the source spec names; add it under [[records]], "
                "or under [[skip]] if it is not wanted"
            )
            if self._json:
                try:
                    read_record(columns.column(JSON_COLUMN)[row].as_py())
                except NotARecordError as error:
                    code, message = error.code, error.message
            work.reject(row, code, message)

    def _map_kind(
        self, number: int, columns: pa.RecordBatch, members: NDArray[np.int64], work: _Work
    ) -> KindRows:
        whole = len(members) == columns.num_rows
        chosen = columns if whole else columns.take(int64_array(members))
        rows = self._kinds[number].rows(chosen)
        for place, code, message in rows.rejects:
            work.reject(int(members[place]), code, message)
        if self._spec.extras is Extras.QUARANTINE:
            refused = rows.extra_records.difference(place for place, _, _ in rows.rejects)
            for place in sorted(refused):
                work.reject(
                    int(members[place]),
                    "EXTRA_FIELDS",
                    "the record has fields that nothing reads; map them, or list them in `ignore`",
                )
            rows = rows.without_records(refused)
        work.extras.update(rows.extras)
        rejected = {place for place, _, _ in rows.rejects} | (
            rows.extra_records if self._spec.extras is Extras.QUARANTINE else set()
        )
        made = np.zeros(len(members), dtype=bool)
        made[rows.records] = True
        made[list(rejected)] = True
        work.records_without_rows += len(members) - int(np.count_nonzero(made))
        rows.records = members[rows.records]
        return rows

    def _assemble(self, parts: Sequence[KindRows], work: _Work) -> _Assembled:
        """Rows of all kinds in the order of their records."""
        records = (
            np.concatenate([part.records for part in parts]) if parts else np.zeros(0, np.int64)
        )
        order = np.argsort(records, kind="stable")
        sorted_already = bool((order[1:] > order[:-1]).all())
        place_of = np.empty_like(order)
        place_of[order] = np.arange(len(order))
        columns: list[Array] = []
        failures: list[CellFailure] = []
        for item in self._schema:
            found = [part.columns.get(item.name) for part in parts]
            arrays = [
                nulls(len(part.records), item.type) if converted is None else converted.values
                for part, converted in zip(parts, found, strict=True)
            ]
            column = _joined(arrays, item.type)
            columns.append(column if sorted_already else column.take(int64_array(order)))
            first = 0
            for part, converted in zip(parts, found, strict=True):
                if converted is not None:
                    work.coercions.update(converted.coercions)
                    failures.extend(self._failures(item.name, converted, first, place_of))
                first += len(part.records)
        batch = pa.RecordBatch.from_arrays(columns, schema=self._schema)
        index = int64_array(records[order]).cast(pa.int32())
        return _Assembled(batch, index, tuple(failures))

    def _failures(
        self, column: str, converted: Converted, first: int, place_of: NDArray[np.int64]
    ) -> Iterable[CellFailure]:
        for item in converted.failures:
            rows = place_of[np.asarray(item.rows) + first]
            order = np.argsort(rows)
            yield CellFailure(
                column=column,
                rows=int64_array(rows[order]),
                code=item.code,
                raw=item.raw.take(int64_array(order)),
                form="text" if self._spec.format is Format.CSV and not item.parts else "json",
            )


@dataclass(slots=True)
class _Work:
    """What piles up while a batch is mapped."""

    decoded: DecodedBatch
    rejects: list[RecordReject] = field(default_factory=list)
    extras: Counter[str] = field(default_factory=Counter)
    coercions: Counter[str] = field(default_factory=Counter)
    records_without_rows: int = 0

    def reject(self, row: int, code: str, message: str) -> None:
        self.rejects.append(
            RecordReject(
                offset=self.decoded.offsets[row].as_py(),
                line=self.decoded.lines[row].as_py(),
                raw=self.decoded.raw([row])[0],
                code=code,
                message=message,
            )
        )


@dataclass(frozen=True, slots=True)
class _Assembled:
    batch: pa.RecordBatch
    record_index: Array
    failures: tuple[CellFailure, ...]


def _joined(arrays: Sequence[Array], kind: pa.DataType) -> Array:
    if len(arrays) == 1:
        return arrays[0]
    if not arrays:
        return nulls(0, kind)
    if pa.types.is_dictionary(kind):
        arrays = pa.chunked_array(arrays).unify_dictionaries().chunks
    return pa.concat_arrays(arrays)


def _identity_kind(schema: pa.Schema, *, escaped: bool) -> RecordKind:
    """The kind of records whose fields are named as the schema's."""
    return RecordKind(
        name=IDENTITY_KIND,
        fields=tuple(
            FieldMapping(target=name, path=join_path((name,)) if escaped else name)
            for name in schema.names
        ),
    )
