"""`x-tick-order`: the rows of a symbol come in the order of their time, or of their sequence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh_cleaner.rules.memory import Cell
from tickmesh_cleaner.rules.rows import breach
from tickmesh_cleaner.rules.rule import Rule
from tickmesh_cleaner.rules.severity import REJECT_OR_FLAG, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh_cleaner.rules.memory import Memory
    from tickmesh_cleaner.rules.parameters import Parameters
    from tickmesh_cleaner.rules.rows import Booleans, Breach, Groups, Integers, Rows

_NEVER = -(2**63)
"""Below everything that can be compared: nothing came before."""


class Order(Rule):
    """A row is late when an earlier row of its symbol has a larger value.

    The largest value so far is what counts, so one row from the future makes all rows up to it
    late: bound what can come from the future by other rules.
    """

    keyword = "x-tick-order"
    remembers = True

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._by = parameters.ordered_field("by")
        ties = parameters.choice("equal", ("allow", "refuse"), default="allow")
        self._strictly = ties == "refuse"
        self.severity = parameters.severity(default=Severity.REJECT, allowed=REJECT_OR_FLAG)

    def cells(self) -> Mapping[str, Cell]:
        """The largest value of each symbol so far."""
        return {"largest": Cell("<i8", _NEVER)}

    def judge(self, rows: Rows, memory: Memory) -> Sequence[Breach]:
        """See `Rule.judge`."""
        values = rows.integers(self._by)
        if self._plainly_rises(rows, values, memory.cells["largest"]):
            return ()
        groups = rows.groups(rows.present(self._by))
        ordered = values[groups.order]
        before = _largest_before(ordered, groups, memory.cells["largest"])
        late = np.zeros(len(rows), dtype=np.bool_)
        late[groups.order] = self._is_late(ordered, before)
        largest = np.zeros(len(rows), dtype=np.int64)
        largest[groups.order] = before
        column = rows.column(self._by)
        return breach(
            "TICK_ORDER",
            late,
            lambda row: (
                f"{_shown(column, values[row])} comes after {_shown(column, largest[row])} "
                "of its symbol"
            ),
        )

    def _plainly_rises(self, rows: Rows, values: Integers, largest: Integers) -> bool:
        """Whether the batch rises as a whole from above all that came before: the usual case."""
        if self._strictly or not len(rows) or rows.column(self._by).null_count:
            return False
        if values[0] < largest[rows.slots].max() or not bool((values[1:] >= values[:-1]).all()):
            return False
        # Of several rows of a symbol the last is the largest, and the last one written stays.
        largest[rows.slots] = values
        return True

    def _is_late(self, values: Integers, before: Integers) -> Booleans:
        late: Booleans = values <= before if self._strictly else values < before
        return late


def _largest_before(values: Integers, groups: Groups, largest: Integers) -> Integers:
    """For each place the largest value of its symbol before it; `largest` is brought forward."""
    before = np.empty_like(values)
    if not len(values):
        return before
    firsts, lasts = groups.starts[:-1], groups.starts[1:] - 1
    before[1:] = values[:-1]
    before[firsts] = largest[groups.slots]
    if bool((before <= values).all()):
        # Every symbol rises, so the value before is the largest before.
        largest[groups.slots] = values[lasts]
        return before
    falls = np.unique(groups.group_of[np.flatnonzero(before > values)])
    for group in falls.tolist():
        start, stop = groups.starts[group], groups.starts[group + 1]
        before[start:stop] = np.maximum.accumulate(before[start:stop])
    largest[groups.slots] = np.maximum(before[lasts], values[lasts])
    return before


def _shown(column: Any, value: Any) -> str:
    if not pt.is_timestamp(column.type):
        return str(value)
    instant = pa.scalar(int(value), pa.timestamp("ns", column.type.tz))
    # Through a cast, since Python's own datetime holds no nanoseconds.
    return str(instant.cast(pa.string()))
