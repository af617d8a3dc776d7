"""What a candidate would do to the rows that are there: stored ones, and quarantined ones.

Stored rows are judged in columns, a batch at a time, by the fields that the candidate declares, as
a job would fill them. Quarantined rows are decoded again from their bytes, as a replay would decode
them. Nothing is stored, released or held back.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tickmesh.schema import compile_schema, roles_of
from tickmesh.schema.validation import row_documents
from tickmesh_cleaner.documents import document_text
from tickmesh_cleaner.domain.quarantine import QuarantineFilter
from tickmesh_cleaner.judging import BatchJudge, rules_of
from tickmesh_cleaner.sources.quarantined import decode_again

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tickmesh.registered import RegisteredSchema
    from tickmesh.schema.validation import Validator, Verdicts
    from tickmesh_cleaner.domain.quarantine import QuarantinedRow
    from tickmesh_cleaner.quarantine_reading import QuarantineReader
    from tickmesh_cleaner.rules import Ruling
    from tickmesh_cleaner.sources.quarantined import RecordFormat
    from tickmesh_cleaner.sources.source import SourceBatch
    from tickmesh_cleaner.store.quarantine_index import QuarantineIndex
    from tickmesh_cleaner.stored_rows import StoredBatches
    from tickmesh_serving.clock import Clock

_EXAMPLES = 3
_ROWS_A_PAGE = 4_096
_LAST_BIT = 63
_LATER_SITES = ("OTHER", "")
"""What one bit stands for that all sites of a schema beyond the 63rd share."""


@dataclass(frozen=True, slots=True)
class BacktestReason:
    """Rows that share a reason: its code, its place in the row, how many, and a few of them."""

    code: str
    instance_path: str
    rows: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BacktestReport:
    """What a candidate would do.

    Attributes:
        dataset_revision: The snapshot of stored rows that was judged; 0 without a dataset.
        stored_rows: Stored rows judged.
        newly_rejected: Those it refuses.
        rejected_reasons: Why; a row with several reasons counts under each. Most rows first.
        quarantined_rows: Quarantined rows judged.
        newly_released: Those it accepts.
        released_reasons: Why they had been held back.
        truncated: Whether rows were left out.
    """

    dataset_revision: int
    stored_rows: int
    newly_rejected: int
    rejected_reasons: tuple[BacktestReason, ...]
    quarantined_rows: int
    newly_released: int
    released_reasons: tuple[BacktestReason, ...]
    truncated: bool


@dataclass(frozen=True, slots=True)
class BacktestOrder:
    """What to judge.

    Attributes:
        subject: The subject whose rows are judged.
        start_ns: Event times from here on; all when None.
        end_ns: Event times before here; all when None.
        max_rows: At most this many stored rows, those stored last, and as many quarantined ones.
        format_of: From the id of a job, and which of its files, to how the records it held back are
            decoded.
    """

    subject: str
    start_ns: int | None
    end_ns: int | None
    max_rows: int
    format_of: Callable[[str, int], RecordFormat]


class StoredRows(Protocol):
    """Reads stored rows."""

    def newest(
        self,
        dataset: str,
        *,
        start_ns: int | None,
        end_ns: int | None,
        columns: Sequence[str],
        max_rows: int,
        check: Callable[[], None],
    ) -> StoredBatches:
        """See `TickStoreRows.newest`."""
        ...


@dataclass(slots=True)
class _Tally:
    """Rows by reason, with the first few of each."""

    rows: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def add(self, reason: tuple[str, str], rows: int, show: Callable[[int], list[str]]) -> None:
        """Count rows of a reason; `show` renders the first so many of them, if they are wanted."""
        self.counts[reason] += rows
        shown = self.examples.setdefault(reason, [])
        if len(shown) < _EXAMPLES:
            shown.extend(show(_EXAMPLES - len(shown)))

    def reasons(self) -> tuple[BacktestReason, ...]:
        ordered = sorted(self.counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(
            BacktestReason(code, path, rows, tuple(self.examples[code, path]))
            for (code, path), rows in ordered
        )


class Backtester:
    """Judges rows that are there under candidates."""

    def __init__(
        self,
        *,
        stored: StoredRows,
        index: QuarantineIndex,
        reader: QuarantineReader,
        clock: Clock,
        engine: str,
    ) -> None:
        """Say where rows lie.

        Args:
            stored: Reads stored rows.
            index: Lists quarantined rows.
            reader: Reads them.
            clock: The clock.
            engine: The name and version of this cleaner.
        """
        self._stored = stored
        self._index = index
        self._reader = reader
        self._clock = clock
        self._engine = engine

    def run(
        self, order: BacktestOrder, schema: RegisteredSchema, *, check: Callable[[], None]
    ) -> BacktestReport:
        """Judge; see BacktestSchema.

        Args:
            order: What to judge.
            schema: The candidate.
            check: Called between batches; raises when nobody waits for the answer any more.

        Raises:
            TickStoreUnavailableError: The tick store does not answer.
        """
        stored = self._stored.newest(
            order.subject,
            start_ns=order.start_ns,
            end_ns=order.end_ns,
            columns=schema.arrow_schema.names,
            max_rows=order.max_rows,
            check=check,
        )
        stored_rows, rejected = _judge_stored(stored.batches, schema)
        quarantined_rows, released, more = self._judge_quarantined(order, schema, check)
        return BacktestReport(
            dataset_revision=stored.revision,
            stored_rows=stored_rows,
            newly_rejected=rejected.rows,
            rejected_reasons=rejected.reasons(),
            quarantined_rows=quarantined_rows,
            newly_released=released.rows,
            released_reasons=released.reasons(),
            truncated=bool(stored.rows_left_out) or more,
        )

    def _judge_quarantined(
        self, order: BacktestOrder, schema: RegisteredSchema, check: Callable[[], None]
    ) -> tuple[int, _Tally, bool]:
        """Rows judged, those released by the reasons they had, and whether rows were left out."""
        judge = BatchJudge(
            source_name="",
            rule_set_fingerprint="",
            engine=self._engine,
            clock=self._clock,
        )
        selected = QuarantineFilter(subject=order.subject)
        format_of = cache(order.format_of)
        released = _Tally()
        rows_judged = after_id = 0
        while rows_judged < order.max_rows:
            limit = min(_ROWS_A_PAGE, order.max_rows - rows_judged)
            entries = self._index.page(selected, after_id=after_id, limit=limit)
            if not entries:
                return rows_judged, released, False
            after_id = entries[-1].id
            rows = self._reader.rows(entries)
            rows_judged += len(rows)
            for held_by, together in groupby(
                rows, key=lambda row: (row.entry.job_id, row.entry.part)
            ):
                check()
                self._release(list(together), format_of(*held_by), schema, judge, order, released)
        more = bool(self._index.page(selected, after_id=after_id, limit=1))
        return rows_judged, released, more

    def _release(
        self,
        rows: Sequence[QuarantinedRow],
        how: RecordFormat,
        schema: RegisteredSchema,
        judge: BatchJudge,
        order: BacktestOrder,
        released: _Tally,
    ) -> None:
        by_id = {row.entry.id: row for row in rows}
        found: list[int] = []
        for batch in decode_again(range(len(rows)), rows, how):
            found.extend(_released(batch, schema, judge, order))
        released.rows += len(found)
        of_reason: dict[tuple[str, str], list[int]] = {}
        for row_id, code, path in sorted(self._index.reasons_of(found)):
            of_reason.setdefault((code, path), []).append(row_id)
        for reason, row_ids in of_reason.items():
            released.add(reason, len(row_ids), partial(_texts, [by_id[one] for one in row_ids]))


def _judge_stored(
    batches: Iterator[pa.RecordBatch], schema: RegisteredSchema
) -> tuple[int, _Tally]:
    """Stored rows judged, and those the candidate refuses.

    Of the tick rules only those without memory are asked: what the others would have remembered
    when a row came is not stored with it.
    """
    rows = 0
    rejected = _Tally()
    rules = rules_of(schema)
    names = schema.arrow_schema.names
    for batch in batches:
        declared = [name for name in batch.schema.names if name in set(schema.arrow_schema.names)]
        seen = batch.select(declared)
        rows += batch.num_rows
        validator = compile_schema(schema.document, seen.schema)
        verdicts = validator.check(seen)
        if not verdicts.all_good:
            _count_refusals(batch, validator, verdicts, rejected)
        if rules and set(names) <= set(declared):
            good = batch if verdicts.all_good else batch.filter(verdicts.good)
            _count_rulings(good, rules.judge_alone(good.select(names)), rejected)
    return rows, rejected


def _count_rulings(batch: pa.RecordBatch, ruling: Ruling, rejected: _Tally) -> None:
    """Count the rows that rules refuse although the schema accepts them."""
    rejected.rows += len(ruling.held)
    by_reason: dict[tuple[str, str], list[int]] = {}
    for row, reasons in ruling.held.items():
        for reason in dict.fromkeys((each.code, each.instance_path) for each in reasons):
            by_reason.setdefault(reason, []).append(row)
    for reason, held in by_reason.items():
        rejected.add(
            reason, len(held), partial(_documents, batch, pa.array(held[:_EXAMPLES], pa.int64()))
        )


def _count_refusals(
    batch: pa.RecordBatch, validator: Validator, verdicts: Verdicts, rejected: _Tally
) -> None:
    """Count the refused rows of a batch by the sites that refuse them."""
    refused = verdicts.bad_indices
    rejected.rows += len(refused)
    words = verdicts.reason_mask.take(refused).to_numpy()
    for bit in range(min(len(validator.sites), _LAST_BIT + 1)):
        hit = np.flatnonzero(words & np.uint64(1 << bit))
        if not len(hit):
            continue
        site = validator.sites[bit]
        shared = bit == _LAST_BIT and len(validator.sites) > _LAST_BIT + 1
        reason = _LATER_SITES if shared else (site.code, site.instance_path)
        chosen = refused.take(pa.array(hit[:_EXAMPLES], pa.int64()))
        rejected.add(reason, len(hit), partial(_documents, batch, chosen))


def _documents(batch: pa.RecordBatch, rows: pa.Array[Any], most: int) -> list[str]:
    return [document_text(each) for each in row_documents(batch.take(rows[:most]))]


def _released(
    batch: SourceBatch, schema: RegisteredSchema, judge: BatchJudge, order: BacktestOrder
) -> Iterator[int]:
    """The ids of the rows of a batch that pass and lie in the range of times."""
    judged = judge.judge(batch, schema)
    if order.start_ns is None and order.end_ns is None:
        yield from judged.released
        return
    times = _times_ns(judged.good, schema)
    if times is None or len(times) != len(judged.released):
        # A record that makes several rows: nobody can tell which of them it is judged by.
        yield from judged.released
        return
    for row_id, at_ns in zip(judged.released, times.to_pylist(), strict=True):
        early = order.start_ns is not None and at_ns is not None and at_ns < order.start_ns
        late = order.end_ns is not None and at_ns is not None and at_ns >= order.end_ns
        if not (early or late):
            yield row_id


def _times_ns(rows: pa.RecordBatch, schema: RegisteredSchema) -> pa.Array[Any] | None:
    """The event times, nanoseconds since the epoch; None where rows have none."""
    name = roles_of(schema.document).event_time
    if name is None:
        return None
    column: Any = rows.column(name)
    if pa.types.is_timestamp(column.type):
        column = pc.cast(column, pa.timestamp("ns", column.type.tz), safe=False)
    found: pa.Array[Any] = column.cast(pa.int64())
    return found


def _texts(rows: Sequence[QuarantinedRow], most: int) -> list[str]:
    return [
        row.record.document or row.record.raw.decode("utf-8", errors="backslashreplace")
        for row in rows[:most]
    ]
