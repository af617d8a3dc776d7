"""The cells of one column in one batch, with what several keywords ask of them computed once."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh.schema.validation import kernels, masks
from tickmesh.schema.validation.documents import PLAIN_TYPES, decode
from tickmesh.schema.validation.once import once
from tickmesh.schema.validation.utf8 import Utf8

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tickmesh.schema.validation.kernels import Array
    from tickmesh.schema.validation.masks import Mask

Numbers: TypeAlias = "NDArray[Any]"

# What stands in the buffer of each type; others hold words of 64 bits.
_NUMBERS: dict[int, np.dtype[Any]] = {
    pa.int8().id: np.dtype(np.int8),
    pa.int16().id: np.dtype(np.int16),
    pa.int32().id: np.dtype(np.int32),
    pa.uint8().id: np.dtype(np.uint8),
    pa.uint16().id: np.dtype(np.uint16),
    pa.uint32().id: np.dtype(np.uint32),
    pa.uint64().id: np.dtype(np.uint64),
    pa.float16().id: np.dtype(np.float16),
    pa.float32().id: np.dtype(np.float32),
    pa.float64().id: np.dtype(np.float64),
    pa.date32().id: np.dtype(np.int32),
}
_WORD: np.dtype[Any] = np.dtype(np.int64)
_NARROW_FLOATS = frozenset({np.dtype(np.float16), np.dtype(np.float32)})


class Cells:
    """The cells of a column; nulls may stand among them.

    Args:
        array: The column.
    """

    def __init__(self, array: Array) -> None:
        self.array = array
        self.length = len(array)
        self._children: dict[int, Cells] | None = None
        # Whether the array counts its own nulls and needs no decoding.
        self._plain = array.type.id in PLAIN_TYPES

    def child(self, position: int) -> Cells:
        """The cells of a field; the structs must hold no nulls."""
        if self._children is None:
            self._children = {}
        found = self._children.get(position)
        if found is None:
            found = self._children[position] = Cells(self._field(position))
        return found

    def _field(self, position: int) -> Array:
        return kernels.struct_field(self.array, position)

    @once
    def missing(self) -> int:
        """How many cells are null."""
        if self._plain:
            return self.array.null_count
        if self._hides_nulls:
            return self.decoded.missing
        return self.length if pt.is_null(self.array.type) else self.array.null_count

    @property
    def _hides_nulls(self) -> bool:
        """Whether nulls stand among the values the cells point to."""
        if isinstance(self.array, pa.DictionaryArray):
            return self.array.dictionary.null_count > 0
        return pt.is_run_end_encoded(self.array.type)

    @once
    def decoded(self) -> Cells:
        """The cells without dictionary, run-end or view encoding."""
        if self._plain:
            return self
        array = decode(self.array)
        return self if array is self.array else Cells(array)

    @once
    def present(self) -> Cells:
        """The cells that are not null."""
        return (
            Cells(kernels.filtered([self.array, masks.packed(~self.absent)]))
            if self.missing
            else self
        )

    @once
    def absent(self) -> NDArray[np.bool_]:
        """Which cells are null, one boolean a cell."""
        held = self.array.buffers()[0] if self._plain else None
        if held is None:
            array = self.decoded.array if self._hides_nulls else self.array
            return masks.flags_of(kernels.is_null([array]))
        return ~masks.unpacked(held, self.array.offset, self.length)

    @once
    def presence(self) -> Mask:
        """Valid where a cell is not null."""
        return masks.of_flags(~self.absent)

    def verdict(self, valid: NDArray[np.bool_]) -> Mask:
        """The mask of one boolean a cell; null cells, which others judge, are never invalid."""
        if self.missing:
            valid |= self.absent
        return masks.of_flags(valid)

    @once
    def numbers(self) -> Numbers:
        """The cells as machine numbers: integers and temporal ones as such, floats as doubles.

        What stands under null cells is of no meaning; floats that are not finite are still there.
        """
        array = self.array
        stored = _NUMBERS.get(array.type.id, _WORD)
        held: Any = array.buffers()[1]
        if held is None or self.missing == self.length:
            # Arrow may leave out what nobody can see.
            return np.zeros(self.length, stored)
        numbers = np.frombuffer(held, stored, self.length, array.offset * stored.itemsize)
        return numbers.astype(np.float64) if stored in _NARROW_FLOATS else numbers

    @once
    def extremes(self) -> tuple[Any, Any] | None:
        """The least and the greatest number; None when nulls stand among them or there is none."""
        if self.missing or not self.length:
            return None
        numbers = self.numbers
        return np.minimum.reduce(numbers), np.maximum.reduce(numbers)

    @once
    def utf8(self) -> Utf8:
        """The bytes of the cells, which are text."""
        return Utf8(self.array)

    @once
    def nonfinite(self) -> NDArray[np.bool_] | None:
        """Which float cells are NaN or infinite; None when there are none.

        Finite extremes prove that all are finite, at a fraction of the cost of looking at each.
        """
        extremes = self.extremes
        if extremes is not None and math.isfinite(extremes[0]) and math.isfinite(extremes[1]):
            return None
        finite = np.isfinite(self.numbers)
        if self.missing:
            finite |= self.absent
        return None if finite.all() else ~finite

    @once
    def elements(self) -> Cells:
        """The items of all lists, one after another; the column must hold no nulls."""
        return Cells(kernels.list_flatten([self.array]))

    @once
    def parents(self) -> Array:
        """For each item the row of its list."""
        return kernels.list_parents([self.array])

    @once
    def lengths(self) -> Array:
        """How many items each list has."""
        return kernels.list_length([self.array]).cast(pa.int64())

    @once
    def positions(self) -> Array:
        """For each item its position in its list."""
        starts = kernels.subtract([kernels.running_sum([self.lengths]), self.lengths])
        return kernels.subtract([kernels.ordinals(len(self.parents)), starts.take(self.parents)])


class BatchCells(Cells):
    """The rows of a record batch as the cells of the root."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        self.length = batch.num_rows
        self._children = None
        self._plain = False

    def _field(self, position: int) -> Array:
        return self._batch.column(position)
