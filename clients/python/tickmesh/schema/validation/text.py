"""Kernels for the string keywords."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh.schema.validation import masks
from tickmesh.schema.validation.cells import Cells
from tickmesh.schema.validation.masks import Mask

_utf8_length = pc.get_function("utf8_length").call
_match = pc.get_function("match_substring_regex").call
_greater_equal = pc.get_function("greater_equal").call
_less_equal = pc.get_function("less_equal").call


class MaximumLength:
    """`maxLength` in code points; byte lengths prove it for whole batches."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def __call__(self, cells: Cells) -> Mask:
        _, longest = cells.byte_extremes
        if longest <= self._limit:
            return masks.VALID
        lengths = _utf8_length([cells.array])
        mask = _less_equal([lengths, pa.scalar(self._limit, lengths.type)])
        return masks.settle(mask, cells.missing)


class MinimumLength:
    """`minLength` in code points; a code point has at most four bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit

    def __call__(self, cells: Cells) -> Mask:
        shortest, _ = cells.byte_extremes
        if shortest >= 4 * self._limit:
            return masks.VALID
        lengths = _utf8_length([cells.array])
        mask = _greater_equal([lengths, pa.scalar(self._limit, lengths.type)])
        return masks.settle(mask, cells.missing)


class Pattern:
    """A search with an RE2 pattern."""

    def __init__(self, pattern: str) -> None:
        self._options = pc.MatchSubstringOptions(pattern)

    def __call__(self, cells: Cells) -> Mask:
        return masks.settle(_match([cells.array], self._options), cells.missing)
