r"""Patterns that say which bytes stand where: `^[A-Z.]{1,6}$`, `^T[0-9]{10}$`.

Most patterns of identifiers are a few fixed characters and one run of a class.  Over ASCII classes
they are judged on the bytes of the whole column at once, an order of magnitude faster than by an
automaton, and exactly: a byte outside ASCII belongs to no class.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tickmesh.schema.validation import kernels, masks
from tickmesh.schema.validation.utf8 import Utf8

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tickmesh.schema.validation.cells import Cells
    from tickmesh.schema.validation.masks import Mask
    from tickmesh.schema.validation.utf8 import Bytes

Range: TypeAlias = tuple[int, int]
"""The first and the last byte."""

Class: TypeAlias = tuple[Range, ...]

# More ranges than this cost as much as an automaton.
_MOST_RANGES = 4
# So many heads before a run are looked up one by one.
_MOST_HEADS = 4
_LONGEST = 64
_UNBOUNDED = 2**31 - 1

_TILE_BYTES = 1 << 16
_NONE = np.empty(0, np.int64)

_PIECE = re.compile(
    r"(?:\[(?P<members>(?:\\[dw.\-/]|[^\\\[\]^])(?:\\[dw.\-/]|[^\\\[\]])*)\]"
    r"|\\(?P<escape>[dw.\-+*?$^|()\[\]{}/\\])"
    r"|(?P<literal>[A-Za-z0-9 _:,;@#%&=<>!~'\"`/-]))"
    r"(?:\{(?P<low>[0-9]{1,4})(?P<comma>,(?P<high>[0-9]{1,4})?)?\}|(?P<sign>[+*?]))?",
    re.ASCII,
)
_ESCAPED: dict[str, Class] = {
    "d": ((0x30, 0x39),),
    "w": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)),
}
_COUNTS = {"+": (1, _UNBOUNDED), "*": (0, _UNBOUNDED), "?": (0, 1), None: (1, 1)}


@dataclass(frozen=True, slots=True)
class Piece:
    """A class of bytes, and how often it may stand."""

    ranges: Class
    low: int
    high: int


def pieces(pattern: str) -> tuple[Piece, ...] | None:
    """The pieces of an anchored ECMA-262 pattern of ASCII classes; None for any other pattern."""
    if len(pattern) < 2 or pattern[0] != "^" or pattern[-1] != "$" or not pattern.isascii():
        return None
    found, at, end = [], 1, len(pattern) - 1
    while at < end:
        match = _PIECE.match(pattern, at, end)
        piece = match and _piece(match)
        if match is None or piece is None:
            return None
        found.append(piece)
        at = match.end()
    return tuple(found)


def _piece(match: re.Match[str]) -> Piece | None:
    if match["members"] is not None:
        ranges = _members(match["members"])
    elif match["escape"] is not None:
        ranges = _ESCAPED.get(match["escape"]) or _single(match["escape"])
    else:
        ranges = _single(match["literal"])
    if ranges is None or len(ranges) > _MOST_RANGES:
        return None
    if match["low"] is None:
        return Piece(ranges, *_COUNTS[match["sign"]])
    low = int(match["low"])
    high = low if not match["comma"] else int(match["high"] or _UNBOUNDED)
    return Piece(ranges, low, high) if low <= high else None


def _members(text: str) -> Class | None:
    """The ranges of a character class, joined where they touch."""
    codes: set[int] = set()
    at = 0
    while at < len(text):
        if text[at] == "\\":
            members = _ESCAPED.get(text[at + 1]) or _single(text[at + 1])
            # A class escape begins or ends no range.
            if text[at + 2 : at + 3] == "-" and at + 3 < len(text):
                return None
            codes.update(code for low, high in members for code in range(low, high + 1))
            at += 2
        elif text[at + 1 : at + 2] == "-" and at + 2 < len(text):
            low, high = ord(text[at]), ord(text[at + 2])
            if low > high or text[at + 2] == "\\":
                return None
            codes.update(range(low, high + 1))
            at += 3
        else:
            codes.add(ord(text[at]))
            at += 1
    ranges: list[Range] = []
    for code in sorted(codes):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1] = (ranges[-1][0], code)
        else:
            ranges.append((code, code))
    return tuple(ranges)


def _single(character: str) -> Class:
    return ((ord(character), ord(character)),)


def matcher(found: tuple[Piece, ...]) -> FixedLength | HeadAndRun | None:
    """The kernel of a sequence; None where an automaton is the better one."""
    if all(piece.low == piece.high for piece in found):
        classes = [piece.ranges for piece in found for _ in range(min(piece.low, _LONGEST + 1))]
        return FixedLength(classes) if 0 < len(classes) <= _LONGEST else None
    *heads, run = found
    if any(piece.low != piece.high for piece in heads):
        return None
    before = [piece.ranges for piece in heads for _ in range(min(piece.low, _MOST_HEADS + 1))]
    return HeadAndRun(before, run) if len(before) <= _MOST_HEADS else None


class FixedLength:
    """One class of bytes for each place."""

    def __init__(self, classes: list[Class]) -> None:
        self._length = len(classes)
        self.detail = f"{self._length} bytes, each within its class"
        self._rows = max(1, _TILE_BYTES // self._length)
        most = max(len(ranges) for ranges in classes)
        # A place with fewer ranges repeats its last one.
        padded = [ranges + ranges[-1:] * (most - len(ranges)) for ranges in classes]
        self._tiles = [
            (
                self._tiled([ranges[i][0] for ranges in padded]),
                self._tiled([ranges[i][1] - ranges[i][0] for ranges in padded]),
            )
            for i in range(most)
        ]

    def _tiled(self, places: list[int]) -> Bytes:
        return np.tile(np.array(places, np.uint8), self._rows)

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        text = cells.utf8
        if not cells.missing and text.uniform_length == self._length:
            return masks.all_but(self._outside(text.data), cells.length)
        valid = text.lengths == self._length
        if cells.missing:
            valid &= ~cells.absent
        chosen = Utf8(kernels.filtered([cells.array, masks.packed(valid)]))
        outside = self._outside(chosen.data)
        if len(outside):
            valid[valid.nonzero()[0][outside]] = False
        return cells.verdict(valid)

    def _outside(self, data: Bytes) -> NDArray[np.int64]:
        """The rows of cells of the right length that hold a byte outside its class."""
        size = self._rows * self._length
        found = [
            _outside(data[start : start + size], self._tiles) + start
            for start in range(0, len(data), size)
        ]
        outside: Any = np.concatenate(found) if len(found) > 1 else found[0] if found else _NONE
        rows: NDArray[np.int64] = outside // self._length
        return rows


class HeadAndRun:
    """A few bytes of a class each, then a run of one class."""

    def __init__(self, heads: list[Class], run: Piece) -> None:
        self._heads = [_limits(ranges) for ranges in heads]
        self._run = _limits(run.ranges)
        self._low = len(heads) + run.low
        self._high = min(len(heads) + run.high, _UNBOUNDED)
        most = "" if self._high == _UNBOUNDED else f" to {self._high}"
        self.detail = f"{self._low}{most} bytes, each within its class"

    def __call__(self, cells: Cells) -> Mask:
        """The mask of the cells."""
        text = cells.utf8
        valid = (text.lengths >= self._low) & (text.lengths <= self._high)
        inside = self._inside(text)
        if np.count_nonzero(inside) < len(inside):
            valid[text.rows_of((~inside).nonzero()[0])] = False
        return cells.verdict(valid)

    def _inside(self, text: Utf8) -> NDArray[np.bool_]:
        inside = _inside(text.data, self._run)
        if self._heads:
            starts = text.starts
            for place, limits in enumerate(self._heads):
                here = starts[text.lengths > place] + place
                inside[here] = _inside(text.data.take(here), limits)
        return inside


def _limits(ranges: Class) -> list[tuple[Any, Any]]:
    return [(np.uint8(low), np.uint8(high - low)) for low, high in ranges]


def _inside(data: Bytes, limits: list[tuple[Any, Any]]) -> NDArray[np.bool_]:
    """Which bytes lie in one of the ranges, given by their first byte and their extent."""
    inside: Any = None
    for low, extent in limits:
        count = len(data)
        first, spans = (low, extent) if np.ndim(low) == 0 else (low[:count], extent[:count])
        within = data - first <= spans
        inside = within if inside is None else inside | within
    found: NDArray[np.bool_] = inside
    return found


def _outside(data: Bytes, limits: list[tuple[Any, Any]]) -> NDArray[np.int64]:
    inside = _inside(data, limits)
    return _NONE if np.count_nonzero(inside) == len(inside) else (~inside).nonzero()[0]
