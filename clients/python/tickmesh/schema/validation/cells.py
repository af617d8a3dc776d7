"""The cells of one column in one batch, with what several keywords ask of them computed once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.schema.validation import kernels
from tickmesh.schema.validation.documents import decode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh.schema.validation.kernels import Array

_NO_DOUBLE = pa.scalar(None, pa.float64())


class _view:  # noqa: N801 - a decorator
    """A property whose value is kept, unless it is the object itself.

    An object that kept itself would stand in a cycle, and its column would not be freed with its
    batch but when the collector, which counts objects and not bytes, comes to it.
    """

    def __init__(self, function: Callable[[Cells], Cells]) -> None:
        self._function = function
        self._name = function.__name__
        self.__doc__ = function.__doc__

    def __get__(self, cells: Cells, _owner: type) -> Cells:
        found = self._function(cells)
        if found is not cells:
            cells.__dict__[self._name] = found
        return found


class Cells:
    """The cells of a column; nulls may stand among them.

    Args:
        array: The column.
    """

    def __init__(self, array: Array) -> None:
        self.array = array
        self.length = len(array)
        self._children: dict[int, Cells] = {}

    def child(self, position: int) -> Cells:
        """The cells of a field; the structs must hold no nulls."""
        found = self._children.get(position)
        if found is None:
            found = self._children[position] = Cells(self._field(position))
        return found

    def _field(self, position: int) -> Array:
        return kernels.struct_field(self.array, position)

    @cached_property
    def missing(self) -> int:
        """How many cells are null."""
        if self._hides_nulls:
            return self.decoded.missing
        return self.length if pt.is_null(self.array.type) else self.array.null_count

    @cached_property
    def is_missing(self) -> pa.BooleanArray:
        """Which cells are null."""
        return kernels.is_null([self.decoded.array if self._hides_nulls else self.array])

    @property
    def _hides_nulls(self) -> bool:
        """Whether nulls stand among the values the cells point to."""
        if isinstance(self.array, pa.DictionaryArray):
            return self.array.dictionary.null_count > 0
        return pt.is_run_end_encoded(self.array.type)

    @cached_property
    def is_present(self) -> pa.BooleanArray:
        """Which cells are not null."""
        return kernels.invert([self.is_missing])

    @_view
    def decoded(self) -> Cells:
        """The cells without dictionary, run-end or view encoding."""
        array = decode(self.array)
        return self if array is self.array else Cells(array)

    @_view
    def present(self) -> Cells:
        """The cells that are not null."""
        return Cells(self.array.filter(self.is_present)) if self.missing else self

    @_view
    def numbers(self) -> Cells:
        """The cells ready for arithmetic.

        Integers are viewed as such, floats widened to double, and non-finite floats blanked to
        null: no comparison ever sees a NaN.
        """
        array = self.array
        if pt.is_floating(array.type):
            array = array if pt.is_float64(array.type) else array.cast(pa.float64())
            if self.nonfinite is not None:
                array = kernels.if_else([self.nonfinite, _NO_DOUBLE, array])
        elif not (pt.is_integer(array.type) or pt.is_decimal(array.type)):
            array = array.view(pa.int64())
        return self if array is self.array else Cells(array)

    @cached_property
    def extremes(self) -> tuple[pa.Scalar[Any], pa.Scalar[Any]]:
        """The least and the greatest cell; null scalars when there are none."""
        found: Any = kernels.extremes([self.array])
        return found["min"], found["max"]

    @cached_property
    def byte_extremes(self) -> tuple[int, int]:
        """The lengths in bytes of the shortest and the longest text; zeros when there is none."""
        found: Any = kernels.extremes([kernels.binary_length([self.array])])
        return found["min"].as_py() or 0, found["max"].as_py() or 0

    @cached_property
    def nonfinite(self) -> pa.BooleanArray | None:
        """Which float cells are NaN or infinite; None when there are none.

        A finite sum proves that all are finite, at a fraction of the cost of looking at each.
        """
        array = self.array
        if pt.is_float16(array.type):
            array = array.cast(pa.float32())
        total = kernels.total([array]).as_py()
        if total is None or total - total == 0:
            return None
        finite = kernels.is_finite([array])
        if finite.true_count + self.missing == len(finite):
            return None
        return kernels.coalesce_mask([kernels.invert([finite]), pa.scalar(False)])

    @cached_property
    def elements(self) -> Cells:
        """The items of all lists, one after another; the column must hold no nulls."""
        return Cells(kernels.list_flatten([self.array]))

    @cached_property
    def parents(self) -> Array:
        """For each item the row of its list."""
        return kernels.list_parents([self.array])

    @cached_property
    def lengths(self) -> Array:
        """How many items each list has."""
        return kernels.list_length([self.array]).cast(pa.int64())

    @cached_property
    def positions(self) -> Array:
        """For each item its position in its list."""
        starts = kernels.subtract([kernels.running_sum([self.lengths]), self.lengths])
        return kernels.subtract([kernels.ordinals(len(self.parents)), starts.take(self.parents)])


class BatchCells(Cells):
    """The rows of a record batch as the cells of the root."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self._batch = batch
        self.length = batch.num_rows
        self._children = {}

    def _field(self, position: int) -> Array:
        return self._batch.column(position)
