"""The cells of one column in one batch, with what several keywords ask of them computed once."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh.schema.validation.documents import decode

_is_finite = pc.get_function("is_finite").call
_sum = pc.get_function("sum").call
_min_max = pc.get_function("min_max").call
_binary_length = pc.get_function("binary_length").call
_invert = pc.get_function("invert").call


class Cells:
    """The cells of a column; nulls may stand among them.

    Args:
        array: The column, or for a row the record batch itself.
    """

    def __init__(self, array: Any) -> None:
        self.array = array
        self.length: int = len(array) if isinstance(array, pa.Array) else array.num_rows
        self._children: dict[int, Cells] = {}

    def child(self, position: int) -> Cells:
        """The cells of a field; a struct must hold no nulls."""
        found = self._children.get(position)
        if found is None:
            if isinstance(self.array, pa.RecordBatch):
                array = self.array.column(position)
            else:
                array = pc.struct_field(self.array, [position])
            found = self._children[position] = Cells(array)
        return found

    @cached_property
    def missing(self) -> int:
        """How many cells are null."""
        if pt.is_null(self.array.type):
            return self.length
        if pt.is_dictionary(self.array.type) and self.array.dictionary.null_count:
            return self.decoded.missing
        if pt.is_run_end_encoded(self.array.type):
            return self.decoded.missing
        count: int = self.array.null_count
        return count

    @cached_property
    def is_missing(self) -> pa.BooleanArray:
        """Which cells are null."""
        array = self.array
        if pt.is_run_end_encoded(array.type) or (
            pt.is_dictionary(array.type) and array.dictionary.null_count
        ):
            array = self.decoded.array
        return array.is_null()

    @cached_property
    def is_present(self) -> pa.BooleanArray:
        """Which cells are not null."""
        return _invert([self.is_missing])

    @cached_property
    def decoded(self) -> Cells:
        """The cells without dictionary, run-end or view encoding."""
        array = decode(self.array)
        return self if array is self.array else Cells(array)

    @cached_property
    def present(self) -> Cells:
        """The cells that are not null."""
        return Cells(self.array.filter(self.is_present)) if self.missing else self

    @cached_property
    def numbers(self) -> Cells:
        """The cells ready for arithmetic.

        Integers are viewed as such, floats widened to double, and non-finite floats blanked to
        null: no comparison ever sees a NaN.
        """
        array = self.array
        if pt.is_floating(array.type):
            array = array if pt.is_float64(array.type) else array.cast(pa.float64())
            if self.nonfinite is not None:
                array = pc.if_else(self.nonfinite, None, array)
        elif not (pt.is_integer(array.type) or pt.is_decimal(array.type)):
            array = array.view(pa.int64())
        return self if array is self.array else Cells(array)

    @cached_property
    def extremes(self) -> tuple[pa.Scalar[Any], pa.Scalar[Any]]:
        """The least and the greatest cell; null scalars when there are none."""
        found = _min_max([self.array])
        return found["min"], found["max"]

    @cached_property
    def byte_extremes(self) -> tuple[int, int]:
        """The lengths in bytes of the shortest and the longest text."""
        found = _min_max([_binary_length([self.array])])
        shortest, longest = found["min"].as_py(), found["max"].as_py()
        return (0, 0) if shortest is None else (shortest, longest)

    @cached_property
    def nonfinite(self) -> pa.BooleanArray | None:
        """Which float cells are NaN or infinite; None when there are none.

        A finite sum proves that all are finite, at a fraction of the cost of looking at each.
        """
        array = self.array
        if pt.is_float16(array.type):
            array = array.cast(pa.float32())
        total = _sum([array]).as_py()
        if total is None or total - total == 0:
            return None
        finite = _is_finite([array])
        if finite.true_count + self.missing == len(finite):
            return None
        return pc.fill_null(_invert([finite]), False)

    @cached_property
    def elements(self) -> Cells:
        """The items of all lists, one after another; the column must hold no nulls."""
        return Cells(pc.list_flatten(self.array))

    @cached_property
    def parents(self) -> pa.Array:
        """For each item the row of its list."""
        return pc.list_parent_indices(self.array)

    @cached_property
    def lengths(self) -> pa.Array:
        """How many items each list has."""
        return pc.list_value_length(self.array)

    @cached_property
    def positions(self) -> pa.Array:
        """For each item its position in its list."""
        lengths = self.lengths.cast(pa.int64())
        starts = pc.subtract(pc.cumulative_sum(lengths), lengths)
        return pc.subtract(pa.arange(0, len(self.parents)), starts.take(self.parents))
