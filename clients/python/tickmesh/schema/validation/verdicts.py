"""What a check found: which rows are good, and why the others are not."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tickmesh.schema.validation import kernels, masks

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tickmesh.schema.validation.documents import Rows
    from tickmesh.schema.validation.kernels import Array
    from tickmesh.schema.validation.masks import Mask
    from tickmesh.schema.validation.plan import Findings
    from tickmesh.schema.validation.reasons import Reason

OTHER_BIT = 63
"""The bit of every reason beyond the first 63 sites."""


_NO_BIT: Any = pa.scalar(0, pa.uint64())


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
        bits_of: Callable[[Rows, Array], Sequence[int]],
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
        found: Any = kernels.true_indices([self._bad]).cast(pa.int64())
        indices: pa.Int64Array = found
        return indices

    @cached_property
    def reason_mask(self) -> pa.UInt64Array:
        """One word a row: the bits of the sites that refuse it; 0 for a good row.

        Bit n stands for `Validator.sites[n]`, bit 63 for all sites from the 64th on.
        """
        words = _zeros(len(self))
        if not self.all_good:
            words = kernels.replace([words, self._bad, self._words_of_bad_rows()])
        result: Any = words
        mask: pa.UInt64Array = result
        return mask

    def _words_of_bad_rows(self) -> Array:
        count = self.bad_count
        words = _zeros(count)
        unsure: Mask = masks.INVALID
        for site, mask in self._findings:
            among_bad = mask if isinstance(mask, masks.Constant) else mask.filter(self._bad)
            if masks.has_failures(among_bad):
                bit = pa.scalar(1 << min(site, OTHER_BIT), pa.uint64())
                failed = masks.failures(among_bad, count)
                words = kernels.bit_or([words, kernels.if_else([failed, bit, _NO_BIT])])
            if masks.has_undecided(among_bad):
                unsure = masks.disjunction([unsure, masks.undecided(among_bad, count)])
        if unsure is masks.INVALID:
            return words
        chosen = masks.expand(unsure, count)
        further = self._bits_of(self._rows, self.bad_indices.filter(chosen))
        known = words.filter(chosen)
        bits = kernels.bit_or([known, pa.array(further, pa.uint64())])
        return kernels.replace([words, chosen, bits])

    @cached_property
    def _bad(self) -> pa.BooleanArray:
        return kernels.invert([self.good])

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


def _zeros(length: int) -> Array:
    zeros: Array = pa.repeat(_NO_BIT, length)
    return zeros
