"""Quarantined rows, judged again: each is released as a whole or kept as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tickmesh_cleaner.documents import document_text
from tickmesh_cleaner.domain.balance import Balance
from tickmesh_cleaner.domain.quarantine import WHOLE_RECORD, QuarantineRecord, RowReason
from tickmesh_cleaner.held_rows import HeldRows
from tickmesh_cleaner.judged import JudgedBatch
from tickmesh_cleaner.ruled import count_repairs
from tickmesh_cleaner.store.quarantine_rows import HeldAgain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tickmesh_cleaner.domain.repair import Repair
    from tickmesh_cleaner.judging import RowsOfBatch
    from tickmesh_cleaner.ruled import Ruled
    from tickmesh_cleaner.rules import RuleSet
    from tickmesh_cleaner.sources.source import ReplayedRow

_NO_ROW = RowReason(
    "NO_ROW", "", "", "under this source spec and version the record makes no such row any more"
)


@dataclass(slots=True)
class _Outcome:
    """What one quarantined row comes to."""

    rows: list[int] = field(default_factory=list)
    bad: list[int] = field(default_factory=list)
    reasons: list[RowReason] = field(default_factory=list)

    @property
    def passes(self) -> bool:
        """Whether it makes rows, and all of them are good."""
        return bool(self.rows) and not self.bad and not self.reasons


def judge_replayed(
    ruled: Ruled,
    replayed: Sequence[ReplayedRow],
    *,
    rules: RuleSet,
    record: Callable[..., QuarantineRecord],
) -> JudgedBatch:
    """Split replayed rows into those released and those held again.

    A quarantined row stands for one row of its record. One that held a whole record, since that
    made no row, stands for all rows the record makes now: they are stored together or not at all.

    A tick rule that remembers earlier rows cannot be asked anew of a row that stands alone: what
    such a rule refused stays held back for as long as the schema states the rule.

    Args:
        ruled: The rows their records make now, judged by the schema and the rules without memory.
        replayed: What they are, in the order of their records.
        rules: The rules of the schema.
        record: Makes a quarantine record.
    """
    rows = ruled.rows
    outcomes = _outcomes(rows, replayed)
    for was, outcome in zip(replayed, outcomes, strict=True):
        outcome.reasons += [reason for reason in was.reasons if rules.still_refuses(reason)]
    released = [place for place, outcome in enumerate(outcomes) if outcome.passes]
    held = [place for place, outcome in enumerate(outcomes) if not outcome.passes]
    stored = sorted(row for place in released for row in outcomes[place].rows)
    repairs = _repairs(ruled, replayed, outcomes, released)
    bad = sorted({row for place in held for row in outcomes[place].bad})
    explained = dict(zip(bad, rows.explain(bad), strict=True))
    records = []
    held_again: list[HeldAgain] = []
    for place in held:
        was, outcome = replayed[place], outcomes[place]
        reasons = [reason for row in outcome.bad for reason in explained[row].reasons]
        reasons += outcome.reasons
        reasons = list(dict.fromkeys(reasons)) or [_NO_ROW]
        records.append(
            record(
                rows.schema,
                source=was.source,
                offset=was.offset,
                line=was.line,
                row_in_record=was.row_in_record,
                raw=was.raw,
                document=document_text(explained[outcome.bad[0]].document) if outcome.bad else "",
                reasons=tuple(reasons),
                first_seen_ns=was.first_seen_ns,
            )
        )
        held_again.append(HeldAgain(was.row_id, len(held_again), tuple(reasons)))
    return JudgedBatch(
        good=rows.mapped.batch.take(pa.array(stored, pa.int64())),
        held=HeldRows.of(records),
        balance=Balance(
            records=len(replayed),
            rows_in=len(stored) + len(held),
            stored=len(stored),
            quarantined=len(held),
            coercions=dict(rows.mapped.coercions),
            flagged=ruled.flagged(stored),
            repaired=count_repairs(repairs),
        ),
        repairs=repairs,
        released=tuple(replayed[place].row_id for place in released),
        held_again=tuple(held_again),
    )


def _repairs(
    ruled: Ruled,
    replayed: Sequence[ReplayedRow],
    outcomes: Sequence[_Outcome],
    released: Sequence[int],
) -> tuple[Repair, ...]:
    """What was mended in rows released, with the places of their records where they came from."""
    return tuple(
        replace(repair, offset=replayed[place].offset, line=replayed[place].line)
        for place in released
        for repair in ruled.repairs(outcomes[place].rows)
    )


def _outcomes(rows: RowsOfBatch, replayed: Sequence[ReplayedRow]) -> list[_Outcome]:
    outcomes = [_Outcome() for _ in replayed]
    rejects = (*rows.decoded.rejects, *rows.mapped.rejects)
    offsets = rows.decoded.offsets.to_numpy(zero_copy_only=False)
    if len(replayed) == 1:
        place_of_offset = dict.fromkeys([*offsets.tolist(), *(r.offset for r in rejects)], 0)
    else:
        every = np.unique([*offsets.tolist(), *(reject.offset for reject in rejects)])
        place_of_offset = {offset: place for place, offset in enumerate(every.tolist())}
    for row in range(rows.mapped.batch.num_rows):
        place = place_of_offset[offsets[rows.record_of_row[row]].item()]
        wanted = replayed[place].row_in_record
        if wanted in {WHOLE_RECORD, rows.row_in_record[row].item()}:
            outcomes[place].rows.append(row)
            if not rows.good[row]:
                outcomes[place].bad.append(row)
    for reject in rejects:
        outcomes[place_of_offset[reject.offset]].reasons.append(
            RowReason(reject.code, "", "", reject.message)
        )
    return outcomes
