"""The bytes of a column of text, seen as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tickmesh.schema.validation.kernels import Array

Bytes: TypeAlias = "NDArray[np.uint8]"
Integers: TypeAlias = "NDArray[Any]"

KEY_BYTES = 7
"""Texts of up to this many bytes have a key: their bytes and their length in one word."""

_OFFSETS: dict[int, np.dtype[Any]] = {
    pa.string().id: np.dtype(np.int32),
    pa.large_string().id: np.dtype(np.int64),
}
_NOTHING = np.empty(0, np.uint8)
_WORDS: dict[int, str] = {1: "u1", 2: "<u2", 4: "<u4", 8: "<u8"}
_KEY_MASKS = np.array([(1 << 8 * size) - 1 for size in range(KEY_BYTES + 1)], np.uint64)


class Utf8:
    """A column of utf8 or large_utf8; what stands under null cells is of no meaning.

    Attributes:
        data: The bytes of all cells, one after another.
        lengths: How many bytes each cell has.
    """

    __slots__ = ("_offsets", "data", "lengths")

    def __init__(self, array: Array) -> None:
        buffers: Any = array.buffers()
        _, offsets, held = buffers
        length = len(array)
        if offsets is None or array.null_count == length:
            # Arrow may leave out what nobody can see.
            self._offsets: Any = np.zeros(length + 1, np.int32)
        else:
            width = _OFFSETS[array.type.id]
            self._offsets = np.frombuffer(offsets, width, length + 1, array.offset * width.itemsize)
        first, last = int(self._offsets[0]), int(self._offsets[-1])
        data: Any = _NOTHING if held is None else np.frombuffer(held, np.uint8)
        self.data: Bytes = data if len(data) == last - first else data[first:last]
        self.lengths: Integers = self._offsets[1:] - self._offsets[:-1]

    @property
    def uniform_length(self) -> int | None:
        """How many bytes every cell has; None when they differ or there is none."""
        count = len(self.lengths)
        if not count:
            return None
        length = int(self.lengths[0])
        if length * count != len(self.data) or np.count_nonzero(self.lengths == length) != count:
            return None
        return length

    @property
    def starts(self) -> Integers:
        """Where in `data` each cell begins."""
        starts: Integers = self._offsets[:-1] - self._offsets[0]
        return starts

    @property
    def is_ascii(self) -> bool:
        """Whether every byte is a character."""
        return not len(self.data) or int(self.data.max()) < 0x80

    def rows_of(self, places: Integers) -> Integers:
        """The rows that places in `data`, ascending, belong to."""
        if len(places) * 16 > len(self.lengths):
            rows: Integers = np.arange(len(self.lengths), dtype=np.int32).repeat(self.lengths)
            return rows[places]
        after: Integers = np.searchsorted(self._offsets, places + self._offsets[0], side="right")
        return after - 1

    def words(self) -> tuple[int, Integers] | None:
        """All cells as integers, when all are 1, 2, 4 or 8 bytes long: their length and these."""
        size = self.uniform_length
        if size is None or size not in _WORDS:
            return None
        return size, self.data.view(_WORDS[size])

    def keys(self) -> Integers:
        """One word a cell, as `key_of` of its bytes; 2^64 - 1 for longer cells."""
        # The last cell's word must not reach beyond the buffer.
        data = np.concatenate([self.data, np.zeros(8, np.uint8)])
        windows: Any = np.ndarray(len(data) - 7, "<u8", data, 0, (1,))
        sizes = np.minimum(self.lengths, KEY_BYTES).astype(np.intp)
        keys: Any = windows.take(self.starts) & _KEY_MASKS.take(sizes)
        keys |= sizes.astype(np.uint64) << np.uint64(56)
        keys[self.lengths > KEY_BYTES] = np.uint64(2**64 - 1)
        found: Integers = keys
        return found


def key_of(text: bytes) -> int:
    """The word of a text of at most `KEY_BYTES` bytes."""
    return int.from_bytes(text, "little") | len(text) << 56
