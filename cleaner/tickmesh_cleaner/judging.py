"""One batch of records, judged: good rows, bad rows with all their reasons, and the account.

Good rows stay in columns from end to end, and so do bad rows that many others are like. The rest
are touched one by one: each is shown to the row oracle as the document it was, with the raw values
of cells that could not be read.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tickmesh.decoding.arrow import int64_array, pc
from tickmesh.decoding.json_texts import object_texts
from tickmesh.decoding.mapped import ABSENT, CellFailure, MappedBatch
from tickmesh.decoding.mapping import RowMapper
from tickmesh.decoding.source_spec import SourceSpecError
from tickmesh.schema.validation import Validator, Verdicts, compile_schema, reasons_of_document
from tickmesh_cleaner.documents import cell_texts, document_text
from tickmesh_cleaner.domain.balance import Balance
from tickmesh_cleaner.domain.errors import InvalidRuleError, InvalidSourceSpecError
from tickmesh_cleaner.domain.identity import fingerprint_with
from tickmesh_cleaner.domain.quarantine import WHOLE_RECORD, QuarantineRecord, RowReason
from tickmesh_cleaner.held_reasons import BadRows, ReasonColumn, reasons_in_columns
from tickmesh_cleaner.held_rows import NONE_HELD, HeldRows
from tickmesh_cleaner.judged import JudgedBatch
from tickmesh_cleaner.quarantine_files import RECORD_SCHEMA
from tickmesh_cleaner.replaying import judge_replayed
from tickmesh_cleaner.ruled import count_repairs, not_ruled, rule, rule_alone
from tickmesh_cleaner.rules import RuleError, RuleSet, RuleState, compile_rules

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array
    from tickmesh.decoding.decoded import DecodedBatch, RecordReject
    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh.registered import RegisteredSchema
    from tickmesh.schema.validation import Reason, SelfCheck, Site
    from tickmesh_cleaner.sources.source import SourceBatch
    from tickmesh_serving.clock import Clock

EMPTY_RECORDS = "(empty)"
"""Under which name records whose arrays are empty are reported as skipped: they hold no row."""

_MAPPERS_KEPT = 16


_VERDICTS_DIFFER = RowReason(
    "VERDICTS_DIFFER", "", "", "the columns refuse the row, the row oracle does not"
)


@dataclass(frozen=True, slots=True)
class Explained:
    """A bad row: the document that was judged, and all reasons it is held back for."""

    document: dict[str, Any]
    reasons: tuple[RowReason, ...]


@dataclass(frozen=True)
class RowsOfBatch:
    """The rows a decoded batch made, and the verdict on each."""

    schema: RegisteredSchema
    decoded: DecodedBatch
    mapped: MappedBatch
    verdicts: Verdicts
    sites: Sequence[Site]
    held: Mapping[int, tuple[RowReason, ...]] = field(default_factory=dict)
    """Rows that tick rules refuse although the schema accepts them, with all reasons found."""
    dropped: tuple[int, ...] = ()
    """Rows that a tick rule leaves out as duplicates, ascending."""

    @cached_property
    def good(self) -> NDArray[np.bool_]:
        """One boolean a row."""
        good = np.asarray(self.verdicts.good.to_numpy(zero_copy_only=False))
        if self.mapped.failures:
            good = good & ~self._failed
        if self.held or self.dropped:
            good = good.copy()
            good[[*self.held, *self.dropped]] = False
        return good

    @cached_property
    def bad_rows(self) -> NDArray[np.int64]:
        """The rows that are held back, ascending."""
        if self._all_good:
            return np.zeros(0, dtype=np.int64)
        bad = ~self.good
        bad[list(self.dropped)] = False
        return np.flatnonzero(bad)

    @property
    def _all_good(self) -> bool:
        return self.verdicts.all_good and not (self.mapped.failures or self.held or self.dropped)

    @cached_property
    def record_of_row(self) -> NDArray[np.int64]:
        """For each row, its record's place among `decoded.columns`."""
        return self.mapped.record_index.to_numpy(zero_copy_only=False).astype(np.int64)

    @cached_property
    def row_in_record(self) -> NDArray[np.int64]:
        """For each row, its place among the rows of its record."""
        if (np.diff(self.record_of_row) > 0).all():
            return np.zeros(len(self.record_of_row), dtype=np.int64)
        order = np.argsort(self.record_of_row, kind="stable")
        records = self.record_of_row[order]
        starts = np.flatnonzero(np.diff(records, prepend=-1))
        lengths = np.diff(np.append(starts, len(records)))
        places = np.empty(len(records), dtype=np.int64)
        places[order] = np.arange(len(records)) - np.repeat(starts, lengths)
        return places

    def good_batch(self) -> pa.RecordBatch:
        """The good rows."""
        if self._all_good:
            return self.mapped.batch
        return self.mapped.batch.filter(pa.array(self.good))

    def explain(self, rows: Sequence[int]) -> list[Explained]:
        """What some bad rows were, and all reasons they are held back for; ascending rows."""
        documents = self.mapped.documents(rows)
        readable = [
            row for row in rows if row not in self._failures_of_row and row not in self.held
        ]
        found = iter(self.verdicts.reasons_of(readable))
        return [
            Explained(document, self._reasons_of(row, document, found))
            for row, document in zip(rows, documents, strict=True)
        ]

    def explain_bad_rows(self) -> tuple[Array, Array]:
        """The documents of all bad rows as JSON text, and the lists of their reasons.

        The same as `explain` says of them; but only rows with cells that could not be filled, those
        a tick rule refuses, and those `reasons_in_columns` leaves, are looked at one by one.
        """
        rows = self.bad_rows
        cells = cell_texts(self.mapped, rows.tolist())
        apart = self._judged_apart[rows]
        single = np.flatnonzero(apart) if cells is not None else np.arange(len(rows))
        reasons = ReasonColumn()
        explained = self.explain(rows[single].tolist()) if len(single) else []
        for place, one in zip(single.tolist(), explained, strict=True):
            reasons.add(place, one.reasons)
        texts = pa.array([document_text(one.document) for one in explained], pa.string())
        if cells is None:
            return texts, reasons.finish(len(rows))
        documents = object_texts(cells, len(rows), null_fields=self.mapped.null_fields)
        if len(single):
            documents = pc.replace_with_mask(documents, pa.array(apart), texts)
        words = np.asarray(self.verdicts.reason_mask)[rows]
        bad = BadRows(words, cells, self.sites, lambda places: self._worded(rows[places].tolist()))
        reasons_in_columns(bad, np.flatnonzero(~apart), reasons)
        return documents, reasons.finish(len(rows))

    def _worded(self, rows: Sequence[int]) -> list[tuple[RowReason, ...]]:
        return [_row_reasons(found) for found in self.verdicts.reasons_of(rows)]

    @cached_property
    def _judged_apart(self) -> NDArray[np.bool_]:
        """The rows whose reasons are not the columns' alone."""
        apart = self._failed.copy()
        apart[list(self.held)] = True
        return apart

    def _reasons_of(
        self, row: int, document: Mapping[str, Any], readable: Iterator[Sequence[Reason]]
    ) -> tuple[RowReason, ...]:
        if row in self.held:
            return self.held[row]
        if row in self._failures_of_row:
            return self._reasons_of_failed(row, document)
        return _row_reasons(next(readable))

    def _reasons_of_failed(self, row: int, document: Mapping[str, Any]) -> tuple[RowReason, ...]:
        found = reasons_of_document(self.schema.document, document)
        reasons = list(_row_reasons(found)) if found else []
        spoken_for = {reason.instance_path for reason in reasons}
        required = any(reason.code == "REQUIRED" for reason in reasons)
        for failure in self._failures_of_row[row]:
            path = f"/{failure.column.replace('~', '~0').replace('/', '~1')}"
            # The oracle's own words come first; what it cannot see is said by the conversion.
            if path not in spoken_for and not (failure.code == ABSENT and required):
                reasons.append(RowReason(failure.code, path, "", failure.message))
        return tuple(reasons) or (_VERDICTS_DIFFER,)

    @cached_property
    def _failed(self) -> NDArray[np.bool_]:
        failed = np.zeros(self.mapped.batch.num_rows, dtype=np.bool_)
        for failure in self.mapped.failures:
            failed[failure.rows.to_numpy(zero_copy_only=False)] = True
        return failed

    @cached_property
    def _failures_of_row(self) -> Mapping[int, Sequence[CellFailure]]:
        found: dict[int, list[CellFailure]] = {}
        for failure in self.mapped.failures:
            for row in failure.rows.to_numpy(zero_copy_only=False).tolist():
                found.setdefault(row, []).append(failure)
        return found


def _row_reasons(found: Sequence[Reason]) -> tuple[RowReason, ...]:
    reasons = tuple(
        RowReason(reason.code, reason.instance_path, reason.schema_path, reason.message)
        for reason in found
    )
    return reasons or (_VERDICTS_DIFFER,)


class BatchJudge:
    """Judges batches of one job. Used by one thread.

    Attributes:
        rule_set_fingerprint: Names the source spec and the engine.
    """

    def __init__(
        self,
        *,
        source_name: str,
        rule_set_fingerprint: str,
        engine: str,
        clock: Clock,
        versions_used: Sequence[int] = (),
        self_check: SelfCheck | None = None,
    ) -> None:
        """Begin without any compiled schema.

        Args:
            source_name: The source in words, for quarantine records.
            rule_set_fingerprint: Names the source spec and the engine.
            engine: The name and version of this engine.
            clock: The clock.
            versions_used: Schema versions the job used in an earlier life.
            self_check: Judges a sample of the verdicts again, off this thread.
        """
        self.rule_set_fingerprint = rule_set_fingerprint
        self._source_name = source_name
        self._engine = engine
        self._versions_used = versions_used
        self._self_check = self_check
        self._clock = clock
        self._compiled: dict[tuple[str, str, int], tuple[RowMapper, Validator, RuleSet]] = {}
        self._latest = ("", RuleState())

    def judge(
        self,
        batch: SourceBatch,
        schema: RegisteredSchema,
        *,
        rule_state: str = "",
    ) -> JudgedBatch:
        """Split a batch; see `Judge.judge`."""
        mapper, validator, rules = self._compile(batch, schema)
        mapped = mapper.map(batch.decoded)
        verdicts = validator.check(mapped.batch)
        if self._self_check is not None:
            self._self_check.observe(verdicts)
        rows = RowsOfBatch(schema, batch.decoded, mapped, verdicts, validator.sites)
        fingerprint = fingerprint_with(self.rule_set_fingerprint, rules=rules.fingerprint)
        record = partial(self._record, fingerprint=fingerprint)
        if batch.replayed:
            ruled = rule_alone(rows, rules) if rules else not_ruled(rows)
            judged = judge_replayed(ruled, batch.replayed, rules=rules, record=record)
            return replace(judged, rule_set_fingerprint=fingerprint)
        ruled = rule(rows, rules, self._remembered(rule_state)) if rules else not_ruled(rows)
        rows = ruled.rows
        held = self._held(rows, fingerprint=fingerprint)
        good = rows.good_batch()
        repairs = ruled.repairs(ruled.mended_rows)
        rejected = len(batch.decoded.rejects) + len(mapped.rejects)
        skipped = dict(mapped.skipped)
        if mapped.records_without_rows:
            skipped[EMPTY_RECORDS] = mapped.records_without_rows
        return JudgedBatch(
            good=good,
            held=held,
            balance=Balance(
                records=batch.decoded.record_count,
                rows_in=mapped.batch.num_rows + rejected,
                stored=good.num_rows,
                quarantined=len(held),
                skipped=skipped,
                extras=dict(mapped.extras),
                duplicates=len(rows.dropped),
                coercions=dict(mapped.coercions),
                flagged=ruled.flagged(rows.good),
                repaired=count_repairs(repairs),
            ),
            repairs=repairs,
            rule_set_fingerprint=fingerprint,
            rule_state=self._as_text(ruled.after),
        )

    def _remembered(self, rule_state: str) -> RuleState:
        """The state a text stands for; that of the batch before is not read again."""
        if rule_state != self._latest[0]:
            self._latest = (rule_state, RuleState.from_text(rule_state))
        return self._latest[1]

    def _as_text(self, state: RuleState) -> str:
        self._latest = (state.to_text(), state)
        return self._latest[0]

    def _compile(
        self, batch: SourceBatch, schema: RegisteredSchema
    ) -> tuple[RowMapper, Validator, RuleSet]:
        key = (batch.spec.fingerprint, batch.file_name, schema.version)
        if key not in self._compiled:
            if len(self._compiled) >= _MAPPERS_KEPT:
                self._compiled.clear()
            # A spec must fit the version its job began with; a later one may drop fields.
            begins = not (self._versions_used or self._compiled or batch.replayed)
            spec = batch.spec if begins else without_dropped(batch.spec, schema)
            try:
                mapper = RowMapper(
                    spec, schema.document, schema.arrow_schema, file_name=batch.file_name
                )
            except SourceSpecError as error:
                raise InvalidSourceSpecError(error.message, key=error.key) from error
            validator = compile_schema(schema.document, schema.arrow_schema)
            self._compiled[key] = (mapper, validator, rules_of(schema))
        return self._compiled[key]

    def _held(self, rows: RowsOfBatch, *, fingerprint: str) -> HeldRows:
        """All that is held back of a batch, by the place of its records."""
        now_ns = self._clock.now_ns()
        bad = NONE_HELD
        if len(rows.bad_rows):
            bad = self._held_rows(rows, fingerprint=fingerprint, first_seen_ns=now_ns)
        rejects = HeldRows.of(
            [
                self._record(
                    rows.schema,
                    offset=reject.offset,
                    line=reject.line,
                    row_in_record=WHOLE_RECORD,
                    raw=reject.raw,
                    document="",
                    reasons=(reason_of_reject(reject),),
                    fingerprint=fingerprint,
                    first_seen_ns=now_ns,
                )
                for reject in (*rows.decoded.rejects, *rows.mapped.rejects)
            ]
        )
        return HeldRows.joined([bad, rejects]).in_source_order() if len(rejects) else bad

    def _held_rows(self, rows: RowsOfBatch, *, fingerprint: str, first_seen_ns: int) -> HeldRows:
        bad = rows.bad_rows
        records = int64_array(rows.record_of_row[bad])
        documents, reasons = rows.explain_bad_rows()
        columns = {
            "source": self._source_name,
            "offset": rows.decoded.offsets.take(records),
            "line": rows.decoded.lines.take(records),
            "row_in_record": pa.array(rows.row_in_record[bad].astype(np.int32)),
            "raw": pa.array(rows.decoded.raw(records.to_numpy().tolist()), pa.binary()),
            "document": documents,
            "reasons": reasons,
            "schema_id": pa.scalar(rows.schema.schema_id, pa.int32()),
            "schema_version": pa.scalar(rows.schema.version, pa.int32()),
            "rule_set_fingerprint": fingerprint,
            "engine": self._engine,
            "first_seen_ns": first_seen_ns,
        }
        filled = [
            column
            if isinstance(column, pa.Array | pa.ChunkedArray)
            else pa.repeat(column, len(bad))
            for column in (columns[name] for name in RECORD_SCHEMA.names)
        ]
        return HeldRows(pa.Table.from_arrays(filled, schema=RECORD_SCHEMA))

    def _record(
        self,
        schema: RegisteredSchema,
        *,
        offset: int,
        line: int,
        row_in_record: int,
        raw: bytes,
        document: str,
        reasons: tuple[RowReason, ...],
        first_seen_ns: int,
        fingerprint: str,
        source: str | None = None,
    ) -> QuarantineRecord:
        judged = row_in_record != WHOLE_RECORD or bool(document)
        return QuarantineRecord(
            source=self._source_name if source is None else source,
            offset=offset,
            line=line,
            row_in_record=row_in_record,
            raw=raw,
            document=document,
            reasons=reasons,
            schema_id=schema.schema_id if judged else 0,
            schema_version=schema.version if judged else 0,
            rule_set_fingerprint=fingerprint,
            engine=self._engine,
            first_seen_ns=first_seen_ns,
        )


def rules_of(schema: RegisteredSchema) -> RuleSet:
    """The tick rules of a schema.

    Raises:
        InvalidRuleError: One of them is wrong.
    """
    try:
        return compile_rules(schema.document, schema.arrow_schema)
    except RuleError as error:
        raise InvalidRuleError(error.message, pointer=error.pointer) from error


def without_dropped(spec: SourceSpec, schema: RegisteredSchema) -> SourceSpec:
    """The spec without mappings of fields that a schema does not have."""
    names = set(schema.arrow_schema.names)
    kinds = tuple(
        replace(kind, fields=tuple(field for field in kind.fields if field.target in names))
        for kind in spec.records
    )
    return replace(spec, records=kinds)


def reason_of_reject(reject: RecordReject) -> RowReason:
    """Why a record made no row."""
    return RowReason(reject.code, "", "", reject.message)
