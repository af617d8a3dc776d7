"""What judging makes of a range: the two halves of its rows, and their account."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from tickmesh_cleaner.domain.balance import Balance
from tickmesh_cleaner.held_rows import NONE_HELD, HeldRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.domain.quarantine import QuarantineRecord
    from tickmesh_cleaner.domain.repair import Repair
    from tickmesh_cleaner.sources.source import SourceBatch
    from tickmesh_cleaner.store.quarantine_rows import HeldAgain


@dataclass(frozen=True, slots=True)
class JudgedBatch:
    """A range after judging.

    Attributes:
        good: Rows that go to the sink, in the order of the source.
        held: Rows that go to the quarantine file, in its order.
        balance: The account, good rows counted as stored.
        released: Ids of quarantined rows that pass now.
        held_again: Quarantined rows that still fail; empty unless rows are replayed, and then
            `held` holds them and nothing is entered in the index anew.
        repairs: What tick rules mended in good rows, in their order.
        rule_set_fingerprint: Names the source spec, the engine and the rules that judged.
        rule_state: What the rules remember after the range, as text; empty without rules.
    """

    good: pa.RecordBatch
    held: HeldRows
    balance: Balance
    released: tuple[int, ...] = ()
    held_again: tuple[HeldAgain, ...] = ()
    repairs: tuple[Repair, ...] = ()
    rule_set_fingerprint: str = ""
    rule_state: str = ""

    @property
    def entered(self) -> HeldRows:
        """Rows the index does not know yet."""
        return NONE_HELD if self.held_again else self.held

    @property
    def records(self) -> tuple[QuarantineRecord, ...]:
        """The held rows one by one."""
        return self.held.records


def merge(parts: Sequence[JudgedBatch], schema: RegisteredSchema) -> JudgedBatch:
    """One batch of consecutive ones: for a range that an older release cut more coarsely."""
    if len(parts) == 1:
        return parts[0]
    rows = pa.Table.from_batches([part.good for part in parts], schema=schema.arrow_schema)
    good = rows.combine_chunks().to_batches()
    held_again: list[HeldAgain] = []
    rows_before = 0
    for part in parts:
        held_again.extend(
            replace(held, file_row=held.file_row + rows_before) for held in part.held_again
        )
        rows_before += len(part.held)
    return JudgedBatch(
        good=good[0] if good else pa.RecordBatch.from_pylist([], schema=schema.arrow_schema),
        held=HeldRows.joined([part.held for part in parts]),
        balance=sum((part.balance for part in parts), Balance()),
        released=tuple(row_id for part in parts for row_id in part.released),
        held_again=tuple(held_again),
        repairs=tuple(repair for part in parts for repair in part.repairs),
        rule_set_fingerprint=parts[-1].rule_set_fingerprint if parts else "",
        rule_state=parts[-1].rule_state if parts else "",
    )


class Judge(Protocol):
    """Judges batches under a schema. Equal arguments give equal answers, after a crash too."""

    def judge(
        self, batch: SourceBatch, schema: RegisteredSchema, *, rule_state: str = ""
    ) -> JudgedBatch:
        """Split a batch.

        Args:
            batch: The records.
            schema: The version to judge under.
            rule_state: What the rules remember of the rows before: the `rule_state` of the batch
                before, empty for the first. Batches of a source must be judged in their order.

        Raises:
            InvalidRuleError: A tick rule of the schema is wrong.
        """
        ...
