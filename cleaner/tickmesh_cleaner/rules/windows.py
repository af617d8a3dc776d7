"""Windows of each symbol's values: those before a value, or those around it.

Most values can be shown to be ordinary from the least and the largest value of their window alone,
which cost a few nanoseconds; only the windows of the others are looked at one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tickmesh_cleaner.rules.rows import Booleans, Floats, Groups, Integers

_VALUES_A_PIECE = 1 << 18
"""Values of windows laid out at a time: 2 MiB, so that they stay near the processor."""


class TrailingWindows:
    """For each value of some symbols the `size` values of its symbol before it.

    Attributes:
        ready: Which values have so many before them; others are not judged.
    """

    def __init__(self, values: Floats, groups: Groups, remembered: Floats, size: int) -> None:
        """Lay the values out behind those remembered.

        Args:
            values: The values in the order of `groups.order`; no NaN.
            groups: The symbols they belong to.
            remembered: The last `size` values of each slot, the latest last, NaN for none; brought
                forward by these values.
            size: Values in a window.
        """
        count = len(groups.slots)
        self._size = size
        self._buffer = np.empty(len(values) + size * count)
        self._windows = np.lib.stride_tricks.sliding_window_view(self._buffer, size)
        # Each symbol's values stand behind `size` remembered ones, so the window of a value begins
        # where the value itself stood before those of all symbols up to its own were put in.
        self._begins = np.arange(len(values)) + size * groups.group_of
        self._buffer[self._begins + size] = values
        heads = (groups.starts[:-1] + size * np.arange(count))[:, np.newaxis] + np.arange(size)
        self._buffer[heads] = remembered[groups.slots]
        self.ready: Booleans = ~np.isnan(self._buffer[self._begins])
        tails = (groups.starts[1:] + size * np.arange(count))[:, np.newaxis] + np.arange(size)
        remembered[groups.slots] = self._buffer[tails]

    def least(self) -> Floats:
        """The least value of each window; NaN where it is not ready."""
        return self._extreme(np.minimum)

    def largest(self) -> Floats:
        """The largest value of each window; NaN where it is not ready."""
        return self._extreme(np.maximum)

    def least_deviation(self) -> Floats:
        """A lower bound of each window's mean absolute deviation from any point.

        By the triangle inequality the deviations of two values add up to at least their distance:
        the distances between the halves of a window, half a window apart, bound their sum.
        """
        half = self._size // 2
        distances = np.abs(self._buffer[half:] - self._buffer[:-half])
        sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(distances, nan=0.0))])
        # What rounding may have added to a sum of that many terms.
        slack = sums[-1] * len(sums) * 2.0**-52
        bound: Floats = (sums[self._begins + half] - sums[self._begins] - slack) / self._size
        return bound

    def pieces(self, chosen: Integers) -> Iterator[tuple[Integers, Floats]]:
        """The windows of some values, a piece at a time, one row a window."""
        step = max(1, _VALUES_A_PIECE // self._size)
        for start in range(0, len(chosen), step):
            piece = chosen[start : start + step]
            yield piece, self._windows[self._begins[piece]]

    def _extreme(self, pick: Callable[[Floats, Floats], Floats]) -> Floats:
        # Doubling: from extremes of 2^i values to those of 2^(i+1), then two that overlap.
        found, length = self._buffer, 1
        while length * 2 <= self._size:
            found = pick(found[:-length], found[length:])
            length *= 2
        return pick(found[self._begins], found[self._begins + self._size - length])


def neighbourhoods(values: Floats, size: int) -> Iterator[tuple[Integers, Floats]]:
    """The `size` values around each value of one symbol, itself left out, a piece at a time.

    As many before it as after it; near the ends the first or last so many. Nothing when there are
    not enough values.
    """
    if len(values) <= size:
        return
    step = max(1, _VALUES_A_PIECE // size)
    last_begin = len(values) - size - 1
    for start in range(0, len(values), step):
        places = np.arange(start, min(start + step, len(values)))
        begins = np.clip(places - size // 2, 0, last_begin)
        offsets = begins[:, np.newaxis] + np.arange(size)
        # Whatever stands at or behind the value itself is one further on.
        offsets += offsets >= places[:, np.newaxis]
        yield places, values[offsets]
