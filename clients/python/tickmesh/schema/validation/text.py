"""Kernels for the string keywords."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh.schema.validation import kernels, masks

if TYPE_CHECKING:
    from tickmesh.schema.validation.cells import Cells
    from tickmesh.schema.validation.masks import Mask


class MaximumLength:
    """`maxLength` in code points; byte lengths prove it for whole batches."""

    proven = True

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.detail = f"utf8_length <= {limit}, proven by byte lengths"

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        _, longest = cells.byte_extremes
        if longest <= self._limit:
            return masks.VALID
        lengths = kernels.utf8_length([cells.array])
        mask = kernels.less_equal([lengths, pa.scalar(self._limit, lengths.type)])
        return masks.settle(mask, cells.missing)


class MinimumLength:
    """`minLength` in code points; a code point has at most four bytes."""

    proven = True

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.detail = f"utf8_length >= {limit}, proven by byte lengths"

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        shortest, _ = cells.byte_extremes
        if shortest >= 4 * self._limit:
            return masks.VALID
        lengths = kernels.utf8_length([cells.array])
        mask = kernels.greater_equal([lengths, pa.scalar(self._limit, lengths.type)])
        return masks.settle(mask, cells.missing)


class Pattern:
    """A search with an RE2 pattern."""

    def __init__(self, pattern: str) -> None:
        self._options = pc.MatchSubstringOptions(pattern)
        self.detail = f"RE2 {pattern}"

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return masks.settle(kernels.match_regex([cells.array], self._options), cells.missing)
