"""`x-tick-duplicates`: a row that came before, by its id or as a whole, within a window.

Equal ticks are legal, and without a trade id two equal trades cannot be told from one trade sent
twice: this is off unless a schema asks for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tickmesh_cleaner.rules.hashing import column_hashes, row_hashes
from tickmesh_cleaner.rules.rows import breach
from tickmesh_cleaner.rules.rule import Rule
from tickmesh_cleaner.rules.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tickmesh_cleaner.rules.hashing import Hashes
    from tickmesh_cleaner.rules.memory import Memory
    from tickmesh_cleaner.rules.parameters import Parameters
    from tickmesh_cleaner.rules.rows import Breach, Integers, Rows

_ROWS_REMEMBERED = 10_000
_MOST_ROWS_REMEMBERED = 1_000_000
_MOST_SECONDS = 86_400.0 * 366


class Duplicates(Rule):
    """A row whose id, or all of whose values, stood in one of the last rows.

    With an id, a row of the same id but other values is no duplicate but a conflict: dropping it
    would lose a correction, so it is held back (flagged, where the severity is flag).

    Rows are compared by two hashes of 64 bits each.
    """

    keyword = "x-tick-duplicates"
    remembers = True

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._by = parameters.fields("by")
        self._rows = parameters.integer(
            "within_rows", default=_ROWS_REMEMBERED, least=1, most=_MOST_ROWS_REMEMBERED
        )
        self._seconds = None
        if parameters.given("within_seconds") is not None:
            self._seconds = parameters.number("within_seconds", above=0, most=_MOST_SECONDS)
            self._time = parameters.time_field("time")
        self.severity = parameters.severity(
            default=Severity.DROP, allowed=(Severity.DROP, Severity.REJECT, Severity.FLAG)
        )

    def judge(self, rows: Rows, memory: Memory) -> Sequence[Breach]:
        """See `Rule.judge`."""
        every = rows.batch.schema.names
        columns = {name: column_hashes(rows.column(name)) for name in every}
        content = row_hashes(list(columns.values()), seed=1)
        key = row_hashes([columns[name] for name in self._by or every], seed=0)
        contents = self._remembered(memory, "contents", content)
        keys = self._remembered(memory, "keys", key)
        earlier = _place_before(keys)
        places = np.arange(len(keys))
        again = (earlier >= 0) & (places - earlier <= self._rows)
        if self._seconds is not None:
            times = self._remembered(memory, "times", rows.integers(self._time))
            again &= np.abs(times - times[earlier]) <= round(self._seconds * 1e9)
        same = contents == contents[earlier]
        new = slice(len(keys) - len(rows), None)
        what = "row" if self._by is None else f"row with this {', '.join(self._by)}"
        distance = (places - earlier)[new]
        found = breach(
            "TICK_DUPLICATE",
            (again & same)[new],
            lambda row: f"the same {what} came {distance[row]} rows before",
        )
        if self._by is None:
            return found
        conflicts = breach(
            "TICK_CONFLICT",
            (again & ~same)[new],
            lambda row: f"a {what} but other values came {distance[row]} rows before",
            severity=Severity.FLAG if self.severity is Severity.FLAG else Severity.REJECT,
        )
        return (*found, *conflicts)

    def _remembered(
        self, memory: Memory, name: str, values: NDArray[np.uint64] | Integers
    ) -> NDArray[np.uint64] | Integers:
        """The values remembered and those of these rows; the last of them are kept."""
        known = memory.ring.get(name)
        joined = values if known is None else np.concatenate([known, values])
        memory.ring[name] = joined[-self._rows :].copy()
        return joined


def _place_before(keys: Hashes | Integers) -> Integers:
    """For each place the last place before it that holds an equal key; -1 where none does."""
    before = np.full(len(keys), -1, dtype=np.int64)
    ordered = np.sort(keys)
    if not (ordered[1:] == ordered[:-1]).any():
        return before
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    repeats = np.flatnonzero(ordered[1:] == ordered[:-1]) + 1
    before[order[repeats]] = order[repeats - 1]
    return before
