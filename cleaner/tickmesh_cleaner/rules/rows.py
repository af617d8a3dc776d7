"""The rows of a batch as rules look at them: whole columns, grouped by symbol where it matters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

Booleans: TypeAlias = "NDArray[np.bool_]"
Integers: TypeAlias = "NDArray[np.int64]"
Floats: TypeAlias = "NDArray[np.float64]"

_LARGEST_PLACE = 2**63
_EXACT_DOUBLES = 2**53
_EXACT_POWER = 22
"""10 to this power is the last that a double holds exactly."""

_NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}


@dataclass(frozen=True)
class Groups:
    """Some rows, symbol by symbol, each symbol's rows in their order.

    Attributes:
        order: The rows.
        starts: Where in `order` each symbol begins; one more entry says where the last ends.
        slots: The slot of each symbol.
    """

    order: Integers
    starts: Integers
    slots: Integers

    @cached_property
    def group_of(self) -> Integers:
        """For each place in `order` its group."""
        return np.repeat(np.arange(len(self.slots)), np.diff(self.starts))

    @cached_property
    def place_in_group(self) -> Integers:
        """For each place in `order` its place among the rows of its symbol."""
        return np.arange(len(self.order)) - self.starts[self.group_of]


class Rows:
    """Rows to be judged.

    Attributes:
        batch: The rows, encoded columns decoded.
        slots: For each row the slot of its symbol.
    """

    def __init__(self, batch: pa.RecordBatch, slots: Integers) -> None:
        self.batch = batch
        self.slots = slots
        self._floats: dict[str, Floats] = {}
        self._instants: dict[str, Integers] = {}
        self._units: dict[str, Integers | None] = {}

    def __len__(self) -> int:
        return self.batch.num_rows

    def column(self, name: str) -> Any:
        """A column."""
        return self.batch.column(name)

    def present(self, name: str) -> Booleans:
        """Which rows hold a value in a column."""
        column = self.column(name)
        if not column.null_count:
            return np.ones(len(self), dtype=np.bool_)
        return mask_of(column.is_valid())

    def floats(self, name: str) -> Floats:
        """A column of numbers as the doubles nearest to them, NaN where it is null."""
        if name not in self._floats:
            column = self.column(name)
            if pt.is_decimal(column.type) and (units := self.units(name)) is not None:
                # Arrow's own cast may miss the nearest double by one.
                values = units / 10.0**column.type.scale
                if column.null_count:
                    values[~self.present(name)] = np.nan
            else:
                if not pt.is_float64(column.type):
                    column = pc.cast(column, pa.float64(), safe=False)
                values = column.to_numpy(zero_copy_only=False)
            self._floats[name] = values
        return self._floats[name]

    def units(self, name: str) -> Integers | None:
        """A column of decimals as whole numbers of its smallest digit, 0 where it is null.

        None unless a double holds each of them, and 10 to the scale, exactly: then the quotient of
        both, and of their sums and differences, is the double nearest to the number.
        """
        if name not in self._units:
            column = self.column(name)
            units = None
            if pt.is_decimal(column.type) and column.type.scale <= _EXACT_POWER:
                units = units_of(column)
            if units is not None and len(units):
                largest = max(int(units.max()), -int(units.min()))
                units = units if largest < _EXACT_DOUBLES // 2 else None
            self._units[name] = units
        return self._units[name]

    def integers(self, name: str) -> Integers:
        """A column of instants (ns since the epoch) or integers; 0 where it is null.

        Instants beyond what nanoseconds in 64 bits can hold are the nearest that they can.
        """
        if name not in self._instants:
            column = self.column(name)
            unit = 1
            if pt.is_timestamp(column.type):
                unit = _NANOSECONDS[column.type.unit]
            if pt.is_uint64(column.type):
                column = pc.min_element_wise(column, pa.scalar(2**63 - 1, pa.uint64()))
            values = column.cast(pa.int64()) if not pt.is_int64(column.type) else column
            if values.null_count:
                values = values.fill_null(0)
            numbers = values.to_numpy()
            if unit != 1:
                bound = (2**63 - 1) // unit
                numbers = np.clip(numbers, -bound, bound) * unit
            self._instants[name] = numbers
        return self._instants[name]

    def groups(self, chosen: Booleans | None = None) -> Groups:
        """The rows, or those chosen, by symbol."""
        if chosen is None or bool(chosen.all()):
            return self._all_groups
        return _grouped(np.flatnonzero(chosen), self.slots[chosen])

    @cached_property
    def _all_groups(self) -> Groups:
        return _grouped(np.arange(len(self)), self.slots)


def units_of(column: Any) -> Integers | None:
    """A column as whole numbers of its smallest digit; None where they leave 64 bits."""
    if pt.is_uint64(column.type) or pt.is_decimal256(column.type):
        try:
            column = column.cast(
                pa.int64() if pt.is_uint64(column.type) else pa.decimal128(38, column.type.scale)
            )
        except pa.ArrowInvalid:
            return None
    if pt.is_integer(column.type):
        units: Integers = column.cast(pa.int64()).fill_null(0).to_numpy()
        return None if len(units) and int(units.min()) == -_LARGEST_PLACE else units
    words = np.frombuffer(column.buffers()[1], dtype=np.int64)
    words = words[2 * column.offset : 2 * (column.offset + len(column))]
    low, high = words[0::2], words[1::2]
    fits = high == (low >> 63)
    if column.null_count:
        valid = column.is_valid().to_numpy(zero_copy_only=False)
        low = np.where(valid, low, 0)
        fits |= ~valid
    return low if bool(fits.all()) else None


def _grouped(rows: Integers, slots: Integers) -> Groups:
    if not len(rows):
        nothing = np.zeros(0, dtype=np.int64)
        return Groups(rows, np.zeros(1, dtype=np.int64), nothing)
    if slots[0] == slots[-1] and bool((slots == slots[0]).all()):
        return Groups(rows, np.array([0, len(rows)]), slots[:1])
    # numpy sorts 16-bit integers by radix, several times faster than wider ones.
    keys = slots.astype(np.uint16) if int(slots.max()) < 2**16 else slots
    order = np.argsort(keys, kind="stable")
    sorted_slots = slots[order]
    starts = np.flatnonzero(np.diff(sorted_slots, prepend=-1))
    return Groups(rows[order], np.append(starts, len(rows)), sorted_slots[starts])


def mask_of(array: Any) -> Booleans:
    """A column of booleans as numpy has it; null is false."""
    if array.null_count:
        array = array.fill_null(False)
    mask: Booleans = array.to_numpy(zero_copy_only=False)
    return mask


@dataclass(frozen=True, slots=True)
class Breach:
    """Rows that break a rule in one way.

    Attributes:
        code: What is wrong; see `FLAG_BITS`.
        rows: The rows, ascending.
        message: From a place in `rows` to what was expected and what came.
        severity: What is done with them, where it is not the rule's own severity.
        repaired: The mended values of the rule's field, one for each of `rows`.
    """

    code: str
    rows: Integers
    message: Callable[[int], str]
    severity: str = ""
    repaired: Any = None


def breach(
    code: str, mask: Booleans, message: Callable[[int], str], *, severity: str = ""
) -> Sequence[Breach]:
    """The breach of the rows of a mask, with messages by row; nothing when there is none."""
    if not mask.any():
        return ()
    rows = np.flatnonzero(mask)
    return (Breach(code, rows, lambda place: message(int(rows[place])), severity),)
