"""What a check found: which rows are good, and why the others are not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh.schema.validation import masks
from tickmesh.schema.validation.documents import Rows
from tickmesh.schema.validation.masks import Mask
from tickmesh.schema.validation.plan import Findings
from tickmesh.schema.validation.reasons import Reason

OTHER_BIT = 63
"""The bit of every reason beyond the first 63 sites."""


class Verdicts:
    """The verdicts on the rows of one batch or table.

    Reasons cost nothing until they are asked for: the mask is kernels, the text is rendered row
    by row.

    Args:
        rows: What was judged.
        verdict: The mask of the rows, nothing undecided.
        findings: What each site found, aligned with the rows.
        explain: Renders the reasons of one row.
        oracle_rows: How many rows the row oracle had to judge.
        bits_of: The reason bits of rows that the kernels left partly undecided.

    Attributes:
        oracle_rows: How many rows the row oracle had to judge.
    """

    def __init__(
        self,
        rows: Rows,
        verdict: Mask,
        findings: Findings,
        *,
        oracle_rows: int,
        explain: Callable[[Rows, int], tuple[Reason, ...]],
        bits_of: Callable[[Rows, pa.Array], Sequence[int]],
    ) -> None:
        self._rows = rows
        self._verdict = verdict
        self._findings = findings
        self.oracle_rows = oracle_rows
        self._explain = explain
        self._bits_of = bits_of

    def __len__(self) -> int:
        return self._rows.num_rows

    @property
    def all_good(self) -> bool:
        """Whether every row is valid."""
        return masks.is_clean(self._verdict)

    @cached_property
    def good(self) -> pa.BooleanArray:
        """One boolean a row, no nulls: whether it is valid."""
        return masks.expand(self._verdict, len(self))

    @property
    def bad_count(self) -> int:
        """How many rows are not valid."""
        return 0 if self.all_good else len(self) - self.good.true_count

    @cached_property
    def bad_indices(self) -> pa.Int64Array:
        """The rows that are not valid, ascending."""
        return pc.indices_nonzero(pc.invert(self.good)).cast(pa.int64())

    @cached_property
    def reason_mask(self) -> pa.UInt64Array:
        """One word a row: the bits of the sites that refuse it; 0 for a good row.

        Bit n stands for `Validator.sites[n]`, bit 63 for all sites from the 64th on.
        """
        if self.all_good:
            return pa.repeat(pa.scalar(0, pa.uint64()), len(self))
        bad = pc.invert(self.good)
        count = self.bad_count
        words = pa.repeat(pa.scalar(0, pa.uint64()), count)
        unsure: Mask = masks.INVALID
        for site, mask in self._findings:
            among_bad = mask if isinstance(mask, masks.Constant) else mask.filter(bad)
            if masks.has_failures(among_bad):
                failed = masks.failures(among_bad, count)
                bit = pa.scalar(1 << min(site, OTHER_BIT), pa.uint64())
                words = pc.if_else(failed, pc.bit_wise_or(words, bit), words)
            unsure = masks.disjunction([unsure, masks.undecided(among_bad, count)])
        if unsure is not masks.INVALID and unsure.true_count:
            rows = self.bad_indices.filter(unsure)
            further = pa.array(self._bits_of(self._rows, rows), pa.uint64())
            words = pc.replace_with_mask(
                words, unsure, pc.bit_wise_or(words.filter(unsure), further)
            )
        return pc.replace_with_mask(pa.repeat(pa.scalar(0, pa.uint64()), len(self)), bad, words)

    def reasons(self, row: int) -> tuple[Reason, ...]:
        """All reasons for which a row is not valid, none for a good row.

        Raises:
            IndexError: There is no such row.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        if self.all_good or self.good[row].as_py():
            return ()
        return self._explain(self._rows, row)
