"""What a check found: which rows are good, and why the others are not."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tickmesh.schema.validation import kernels, masks
from tickmesh.schema.validation.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from tickmesh.schema.validation.documents import Rows
    from tickmesh.schema.validation.kernels import Array
    from tickmesh.schema.validation.masks import Mask
    from tickmesh.schema.validation.plan import Findings

OTHER_BIT = 63
"""The bit of every reason beyond the first 63 sites."""


_DISAGREEMENT = Reason(
    "ORACLE_DISAGREES", "", "", "refused on columns, but the row oracle finds no reason"
)


class Verdicts:
    """The verdicts on the rows of one batch or table.

    Reasons cost nothing until they are asked for: the mask is kernels, the text is rendered row
    by row.

    Args:
        rows: What was judged.
        verdict: The mask of the rows, nothing undecided.
        findings: What each site found, aligned with the rows.
        oracle_rows: How many rows the row oracle had to judge.
        explain: Renders the reasons of rows.
        word_of: The word of the reason mask that says the same.

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
        explain: Callable[[Rows, Array], list[tuple[Reason, ...]]],
        word_of: Callable[[tuple[Reason, ...]], int],
    ) -> None:
        self._rows = rows
        self._verdict = verdict
        self._findings = findings
        self.oracle_rows = oracle_rows
        self._explain = explain
        self._word_of = word_of

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
        words = np.zeros(len(self), np.uint64) if self.all_good else self._words()
        found: Any = pa.array(words)
        mask: pa.UInt64Array = found
        return mask

    def _words(self) -> NDArray[np.uint64]:
        by_bit: dict[int, masks.Flags] = {}
        unsure: masks.Flags | None = None
        for site, mask in self._findings:
            if masks.has_failures(mask):
                valid = mask if isinstance(mask, np.ndarray) else ~masks.failing(mask, len(self))
                bit = min(site, OTHER_BIT)
                by_bit[bit] = by_bit[bit] & valid if bit in by_bit else valid
            if masks.has_undecided(mask):
                flags = masks.undecided(mask, len(self))
                unsure = flags if unsure is None else unsure | flags
        words = _words_of_bits(by_bit, len(self))
        bad = masks.failing(self._verdict, len(self))
        if self.oracle_rows:
            # Another reading of its null cells may have saved a row that a keyword refused.
            words[~bad] = 0
        # A bad row always has a reason: where no kernel alone is to blame, the oracle says.
        unblamed = bad & (words == 0)
        if unsure is not None:
            unblamed |= unsure & bad
        words = words.astype(np.uint64)
        if np.count_nonzero(unblamed):
            rows: Any = unblamed.nonzero()[0]
            found = self._explain(self._rows, pa.array(rows))
            words[rows] |= np.array([self._word_of(reasons) for reasons in found], np.uint64)
        return words

    @cached_property
    def _bad(self) -> pa.BooleanArray:
        return kernels.invert([self.good])

    def reasons(self, row: int) -> tuple[Reason, ...]:
        """All reasons for which a row is not valid, none for a good row.

        Raises:
            IndexError: There is no such row.
        """
        return self.reasons_of([row])[0]

    def by_oracle(self, rows: Sequence[int]) -> list[tuple[Reason, ...]]:
        """The reasons of rows by the row oracle alone, whatever the columns say; none if good."""
        return self._explain(self._rows, pa.array(rows, pa.int64()))

    def reasons_of(self, rows: Sequence[int] | Array) -> list[tuple[Reason, ...]]:
        """The reasons of several rows, in their order: cheaper than one by one.

        Raises:
            IndexError: There is no such row.
        """
        wanted = pa.array(rows, pa.int64())
        bad = self._bad.take(wanted)
        reasons = iter(self._explain(self._rows, wanted.filter(bad)))
        return [next(reasons) or (_DISAGREEMENT,) if each else () for each in bad.to_pylist()]


def _words_of_bits(valid: Mapping[int, masks.Flags], length: int) -> NDArray[Any]:
    """Words with a bit for each failure, in as few bytes as hold all bits."""
    size = next(size for size in (1, 2, 4, 8) if max(valid, default=0) < 8 * size)
    words = np.zeros(length, f"<u{size}")
    by_byte = words.view(np.uint8).reshape(length, size)
    # Eight bits share a byte, and bytes cost an eighth of words; doubling makes room for the next.
    for place in {bit // 8 for bit in valid}:
        bits = np.zeros(length, np.uint8)
        used = 0
        for bit in range(7, -1, -1):
            if used:
                np.add(bits, bits, out=bits)
            flags = valid.get(8 * place + bit)
            if flags is not None:
                used |= 1 << bit
                np.bitwise_or(bits, flags.view(np.uint8), out=bits)
        by_byte[:, place] = ~bits & np.uint8(used)
    return words
