"""Lines of JSON that one program wrote: the same keys in the same order, split without a parser.

A layout is a line with its values taken out: ``{"p":`` ``,"q":"`` ``"}``. In a line without a
backslash the quotes alone tell where every value begins and ends; a line is of the layout when what
stands between its values is, byte by byte, what stands there in the line the layout was made of.
That line was read exactly, so such a line is JSON with the same, distinct keys if its values are
JSON's, and those are judged as columns. Lines of no layout are left to others.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from tickmesh.decoding.arrow import int64_array, pc
from tickmesh.decoding.conversion import grammar
from tickmesh.decoding.conversion.proofs import plain_numbers
from tickmesh.decoding.json_documents import NotARecordError, read_record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array

_TOKEN: Final = re.compile(
    rb'(?P<space>\s+)|"(?P<text>[^"\\]*)"|(?P<mark>[{}\[\]:,])|[^\s"{}\[\]:,]+'
)
_LITERAL: Final = grammar.whole(rf"true|false|null|{grammar.NUMBER}")
_WORDS: Final = pa.array(["true", "false", "null"])
_WORD_BYTES: Final = 8
_MOST_SLOTS: Final = 256


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a value stands in every line of a layout.

    Attributes:
        path: Its names; of a value within an array, those of the array.
        quoted: Whether it is a string.
        within_array: Whether it stands within an array.
        begins: It begins so many bytes after a quote of the line, which is counted from 0.
        ends: It ends so many bytes before a quote, or before the line's end (-1).
    """

    path: tuple[str, ...]
    quoted: bool
    within_array: bool
    begins: tuple[int, int]
    ends: tuple[int, int]


@dataclass(frozen=True)
class Layout:
    """What lines of one program have in common.

    Attributes:
        constants: What stands before, between and after the values.
        slots: The values.
        quotes: How many quotes a line has.
        empty: Paths of objects and arrays without any value.
    """

    constants: tuple[bytes, ...]
    slots: tuple[Slot, ...]
    quotes: int
    empty: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, line: bytes) -> Layout | None:
        """The layout of a line; None when quotes cannot tell where its values are."""
        try:
            read_record(line.decode())
        except NotARecordError:
            return None
        found = _Outline(line)
        return found.layout() if found.told_by_quotes else None


class _Outline:
    """A line taken apart."""

    def __init__(self, line: bytes) -> None:
        self.told_by_quotes = b"\\" not in line
        self._line = line
        self._quotes = [place.start() for place in re.finditer(b'"', line)]
        self._spans: list[tuple[int, int, tuple[str, ...], bool, bool]] = []
        self._empty: list[tuple[str, ...]] = []
        if self.told_by_quotes:
            self._walk()

    def _walk(self) -> None:
        containers: list[str | None] = []  # the name last read of an object; None for an array
        key_next = False
        last_mark = b""
        for token in _TOKEN.finditer(self._line):
            if token["space"] is not None:
                continue
            mark = token["mark"]
            if mark in (b"{", b"["):
                containers.append("" if mark == b"{" else None)
                key_next = mark == b"{"
            elif mark in (b"}", b"]"):
                containers.pop()
                if last_mark in (b"{", b"["):
                    self._empty.append(self._path(containers))
            elif mark == b",":
                key_next = containers[-1] is not None
            elif mark == b":":
                key_next = False
            elif key_next:
                containers[-1] = token["text"].decode()
            else:
                quoted = token["text"] is not None
                begin, end = token.span("text") if quoted else token.span()
                path = self._path(containers)
                self._spans.append((begin, end, path, quoted, None in containers))
            last_mark = mark or b""

    @staticmethod
    def _path(containers: list[str | None]) -> tuple[str, ...]:
        names = []
        for name in containers:
            if name is None:
                break
            names.append(name)
        return tuple(names)

    def layout(self) -> Layout | None:
        slots = []
        edges = [0]
        for begin, end, path, quoted, within_array in self._spans:
            before = int(np.searchsorted(self._quotes, begin)) - 1
            after = before + 1
            last = after == len(self._quotes)
            limit = len(self._line) if last else self._quotes[after]
            begins = (before, begin - self._quotes[before])
            ends = (-1 if last else after, limit - end)
            slots.append(Slot(path, quoted, within_array, begins, ends))
            edges += [begin, end]
        # Two bare values between the same quotes: nothing says where one ends.
        told_apart = len({slot.begins[0] for slot in slots}) == len(slots)
        if not slots or not told_apart or len(slots) > _MOST_SLOTS:
            return None
        edges.append(len(self._line))
        constants = tuple(
            self._line[first:last] for first, last in zip(edges[::2], edges[1::2], strict=True)
        )
        return Layout(constants, tuple(slots), len(self._quotes), tuple(self._empty))


class Lines:
    """Consecutive lines, as their bytes show them."""

    def __init__(self, texts: Array) -> None:
        """Look at texts, each with its line end."""
        bounds = np.frombuffer(texts.buffers()[1], dtype=np.int32)
        bounds = bounds[texts.offset : texts.offset + len(texts) + 1]
        self._first = int(bounds[0])
        self._bounds = (bounds - self._first).astype(np.int64)
        size = int(self._bounds[-1])
        self._data = texts.buffers()[2].slice(self._first, size)
        self._octets = np.frombuffer(self._data, dtype=np.uint8)
        self.eligible = self._eligible()

    @cached_property
    def _words(self) -> NDArray[np.uint64]:
        """The eight bytes that begin at each place, as a number."""
        places = len(self._octets) - _WORD_BYTES + 1
        return np.ndarray((places,), dtype="<u8", buffer=self._data, strides=(1,))

    @cached_property
    def _quotes(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._octets == ord('"'))

    @cached_property
    def _first_quotes(self) -> NDArray[np.int64]:
        """For each line, the number of its first quote; then the number of all."""
        return np.searchsorted(self._quotes, self._bounds)

    def line(self, index: int) -> bytes:
        """The bytes of a line."""
        begin, end = int(self._bounds[index]), int(self._bounds[index + 1])
        return bytes(self._octets[begin:end])

    def of(self, layout: Layout, rows: NDArray[np.int64]) -> Split | None:
        """Those of some eligible rows that are of a layout; None if none is."""
        alike = np.diff(self._first_quotes)[rows] == layout.quotes
        rows = rows if alike.all() else rows[alike]
        if not len(rows):
            return None
        edges = self._edges(layout, rows, self._quotes_of(rows, layout.quotes))
        good = self._as_the_layout(layout, edges)
        if not good.any():
            return None
        bad = np.flatnonzero(~good)
        edges[:, bad] = self._bounds[rows[bad]]  # nothing at all, in its place
        return Split(layout, rows, np.flatnonzero(good), self._segments(edges)).of_json()

    def _quotes_of(self, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """The places of the quotes of some rows that have so many each, one row each."""
        gaps = np.flatnonzero(np.diff(rows) != 1) + 1
        firsts, lasts = rows[np.append(0, gaps)], rows[np.append(gaps, len(rows)) - 1]
        runs = [
            self._quotes[self._first_quotes[first] : self._first_quotes[last + 1]]
            for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
        ]
        return (runs[0] if len(runs) == 1 else np.concatenate(runs)).reshape(-1, count)

    def _eligible(self) -> NDArray[np.bool_]:
        """Lines in which quotes can be counted: no escape, no control character but line ends."""
        lengths = np.diff(self._bounds)
        eligible: NDArray[np.bool_] = lengths >= _WORD_BYTES
        ends = self._bounds[1:]
        suspects = self._octets < ord(" ")
        returns = self._octets[ends[eligible] - 2] == ord("\r")
        if np.count_nonzero(suspects) != len(ends) + np.count_nonzero(returns):
            places = np.flatnonzero(suspects)
            owners = np.searchsorted(self._bounds, places, side="right") - 1
            left = ends[owners] - places
            carriage = (left == 2) & (self._octets[places] == ord("\r"))
            eligible[owners[(left > 1) & ~carriage]] = False
        if (self._octets == ord("\\")).any():
            places = np.flatnonzero(self._octets == ord("\\"))
            eligible[np.searchsorted(self._bounds, places, side="right") - 1] = False
        return eligible

    def _edges(
        self, layout: Layout, rows: NDArray[np.int64], quotes: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Where each line begins, each value begins and ends, and the line ends: one row each."""
        edges = np.empty((2 * len(layout.slots) + 2, len(rows)), dtype=np.int64)
        edges[0] = self._bounds[rows]
        edges[-1] = self._bounds[rows + 1]
        for number, slot in enumerate(layout.slots):
            quote, skipped = slot.begins
            np.add(quotes[:, quote], skipped, out=edges[2 * number + 1])
            quote, left = slot.ends
            limit = edges[-1] if quote < 0 else quotes[:, quote]
            np.subtract(limit, left, out=edges[2 * number + 2])
        return edges

    def _as_the_layout(self, layout: Layout, edges: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which lines have the layout's bytes around their values."""
        good = np.ones(edges.shape[1], dtype=bool)
        for number, constant in enumerate(layout.constants):
            begin, end = edges[2 * number], edges[2 * number + 1]
            good &= end - begin == len(constant)
            if number:
                good &= begin >= edges[2 * number - 1]
        if not good.any():
            return good
        # Out of bounds is out of the question for lines that are still good; for others look there.
        edges[:, ~good] = edges[:, [np.argmax(good)]]
        for number, constant in enumerate(layout.constants):
            begin, end = edges[2 * number], edges[2 * number + 1]
            for place in range(0, len(constant) - _WORD_BYTES + 1, _WORD_BYTES):
                wanted = int.from_bytes(constant[place : place + _WORD_BYTES], "little")
                good &= self._words[begin + place] == np.uint64(wanted)
            rest = len(constant) % _WORD_BYTES
            if not rest:
                continue
            wanted = int.from_bytes(constant[-rest:], "little")
            unused = np.uint64(8 * (_WORD_BYTES - rest))
            if number or len(constant) >= _WORD_BYTES:
                good &= self._words[end - _WORD_BYTES] >> unused == np.uint64(wanted)
            else:
                good &= self._words[begin] << unused == np.uint64(wanted << int(unused))
        return good

    def _segments(self, edges: NDArray[np.int64]) -> Array:
        """The values, and between them what is not wanted, as texts over the lines' own bytes."""
        places = np.ascontiguousarray(edges[1:-1].T, dtype=np.int32).reshape(-1)
        return pa.StringArray.from_buffers(len(places) - 1, pa.py_buffer(places.data), self._data)


@dataclass(frozen=True)
class Split:
    """Lines of one layout.

    Attributes:
        layout: The layout.
        candidates: Lines that were split, ascending.
        places: Which of them are of the layout.
        segments: For each candidate its values in order, with something unwanted between any two.
    """

    layout: Layout
    candidates: NDArray[np.int64]
    places: NDArray[np.int64]
    segments: Any
    _tokens: dict[int, Array] = field(default_factory=dict, compare=False)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The lines that are of the layout, ascending."""
        return self.candidates[self.places]

    def tokens(self, slot: int) -> Array:
        """What stands in a slot: text without its quotes, or a literal as it is written."""
        if slot not in self._tokens:
            step = 2 * len(self.layout.slots)
            self._tokens[slot] = self.segments.take(int64_array(self.places * step + 2 * slot))
        return self._tokens[slot]

    def of_json(self) -> Split | None:
        """The lines whose unquoted values are all JSON literals; None if there is none."""
        good: Array | None = None
        for number in self._bare():
            mask = _literals(self.tokens(number))
            if mask is not None:
                good = mask if good is None else pc.and_(good, mask)
        if good is None:
            return self
        kept = np.asarray(good.to_numpy(zero_copy_only=False), dtype=bool)
        if not kept.any():
            return None
        return Split(self.layout, self.candidates, self.places[kept], self.segments)

    def _bare(self) -> Iterator[int]:
        return (number for number, slot in enumerate(self.layout.slots) if not slot.quoted)


def _literals(tokens: Array) -> Array | None:
    """Which tokens are JSON literals; None when all are."""
    if plain_numbers(tokens) is not None:
        return None
    words = pc.is_in(tokens, value_set=_WORDS)
    if words.false_count == 0:
        return None
    mask = pc.match_substring_regex(tokens, _LITERAL)
    return None if mask.false_count == 0 else mask
