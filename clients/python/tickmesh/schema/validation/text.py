"""Kernels for the string keywords."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tickmesh.schema.validation import kernels, masks, patterns, sequences
from tickmesh.schema.validation.masks import VALID
from tickmesh.schema.validation.plan import Kernel, row_by_row
from tickmesh.schema.validation.values import TextMember

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tickmesh.schema.validation.cells import Cells
    from tickmesh.schema.validation.masks import Mask

_WORD = "[A-Za-z0-9 _-]+"
_ALTERNATIVES = re.compile(rf"\^(?:\((?:\?:)?({_WORD}(?:\|{_WORD})*)\)|({_WORD}))\$")
_PREFIX = re.compile(rf"\^({_WORD})(?:\.\*)?")
_BYTES_OF_A_CHARACTER = 4


class MaximumLength:
    """`maxLength` in code points; byte lengths prove it for whole batches."""

    proof = "no text has more bytes"

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.detail = f"bytes <= {limit}, else utf8_length <= {limit}"

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        text = cells.utf8
        valid = text.lengths <= self._limit
        if np.count_nonzero(valid) < cells.length and not text.is_ascii:
            long = (~valid).nonzero()[0]
            valid[long] = _count(cells, long) <= self._limit
        return cells.verdict(valid)


class MinimumLength:
    """`minLength` in code points; a code point has at most four bytes."""

    proof = "no text has fewer bytes, all of them ASCII; or four times as many"

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.detail = f"bytes >= {limit}, of other than ASCII utf8_length >= {limit}"

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        text = cells.utf8
        valid = text.lengths >= self._limit * _BYTES_OF_A_CHARACTER
        if np.count_nonzero(valid) == cells.length:
            return VALID
        if text.is_ascii:
            return cells.verdict(text.lengths >= self._limit)
        short = (~valid).nonzero()[0]
        valid[short] = _count(cells, short) >= self._limit
        return cells.verdict(valid)


def _count(cells: Cells, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The code points of the texts at some rows; none where a cell is null."""
    wanted: Any = pa.array(rows)
    counts = kernels.utf8_length([cells.array.take(wanted)])
    found: NDArray[np.int64] = counts.fill_null(0).to_numpy(zero_copy_only=False)
    return found


def pattern(source: str, data_type: pa.DataType) -> Kernel:
    """`pattern`: the cheapest kernel with the same matches; the oracle where there is none."""
    translated = patterns.to_re2(source)
    if translated is None:
        return row_by_row("the pattern has no exact counterpart in RE2")
    alternatives = _ALTERNATIVES.fullmatch(source)
    if alternatives is not None:
        words = alternatives[1] or alternatives[2]
        return TextMember(sorted(set(words.split("|"))), data_type)
    prefix = _PREFIX.fullmatch(source)
    if prefix is not None:
        return Prefix(prefix[1])
    found = sequences.pieces(source)
    return (found and sequences.matcher(found)) or Pattern(translated)


class Prefix:
    """A text that the cell begins with."""

    def __init__(self, prefix: str) -> None:
        self._options = pc.MatchSubstringOptions(prefix)
        self.detail = f"starts_with {prefix}"

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return masks.settle(kernels.starts_with([cells.array], self._options), cells.missing)


class Pattern:
    """A search with an RE2 pattern."""

    def __init__(self, pattern: str) -> None:
        self._options = pc.MatchSubstringOptions(pattern)
        self.detail = f"RE2 {pattern}"

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        return masks.settle(kernels.match_regex([cells.array], self._options), cells.missing)
