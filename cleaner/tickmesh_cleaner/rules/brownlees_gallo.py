"""`x-tick-brownlees-gallo`: a price far from the trimmed mean of its neighbours.

Brownlees and Gallo, "Financial econometric analysis at ultra-high frequency: data handling
concerns", Computational Statistics & Data Analysis 51 (2006) 2232-2245: keep a price p when
|p - m| < 3 s + g, m and s the trimmed mean and standard deviation of its k neighbours and g a
granularity that keeps a window of equal prices from refusing a move by one tick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tickmesh_cleaner.rules.memory import Cell
from tickmesh_cleaner.rules.rows import breach
from tickmesh_cleaner.rules.rule import Rule
from tickmesh_cleaner.rules.severity import REJECT_OR_FLAG, Severity
from tickmesh_cleaner.rules.windows import TrailingWindows, neighbourhoods

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tickmesh_cleaner.rules.memory import Memory
    from tickmesh_cleaner.rules.parameters import Parameters
    from tickmesh_cleaner.rules.rows import Booleans, Breach, Floats, Groups, Integers, Rows


class BrownleesGallo(Rule):
    """A price outside trimmed mean ± (times x trimmed standard deviation + granularity).

    Causal form: of the last so many prices of the symbol; flagged ones count as well, so that a
    jump that lasts is soon accepted. Centred form: of those around it, as in the paper.
    """

    keyword = "x-tick-brownlees-gallo"
    stands_at = "field"
    remembers = True

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._name = parameters.own_field(holds="numbers")
        self._size = parameters.integer("window", default=60, least=4, most=1_000)
        self._granularity = parameters.number("granularity", above=0)
        self._times = parameters.number("times", default=3.0, above=0)
        trim = parameters.number("trim", default=0.1, least=0, most=0.5)
        self._cut = int(self._size * trim / 2)
        self.severity = parameters.severity(default=Severity.FLAG, allowed=REJECT_OR_FLAG)

    def cells(self) -> Mapping[str, Cell]:
        """The last prices of each symbol."""
        return {"prices": Cell("<f8", np.nan, (self._size,))}

    def judge(self, rows: Rows, memory: Memory) -> Sequence[Breach]:
        """See `Rule.judge`."""
        prices = rows.floats(self._name)
        groups = rows.groups(np.isfinite(prices))
        values = prices[groups.order]
        if not len(values):
            return ()
        windows = TrailingWindows(values, groups, memory.cells["prices"], self._size)
        # The trimmed mean lies between the least and the largest value.
        farthest = np.maximum(values - windows.least(), windows.largest() - values)
        unproven = np.flatnonzero(windows.ready & ~(farthest < self._granularity))
        far = self._far(values, windows.pieces(unproven))
        return self._breach(rows, groups, prices, far)

    def judge_whole(self, rows: Rows, memory: Memory) -> Sequence[Breach]:  # noqa: ARG002 - all rows are here
        """See `Rule.judge_whole`."""
        prices = rows.floats(self._name)
        groups = rows.groups(np.isfinite(prices))
        values = prices[groups.order]
        far: Booleans = np.zeros(len(values), dtype=np.bool_)
        for start, stop in zip(groups.starts[:-1], groups.starts[1:], strict=True):
            own = values[start:stop]
            far[start:stop] = self._far(own, neighbourhoods(own, self._size))
        return self._breach(rows, groups, prices, far)

    def _far(self, values: Floats, pieces: Iterable[tuple[Integers, Floats]]) -> Booleans:
        far: Booleans = np.zeros(len(values), dtype=np.bool_)
        for places, windows in pieces:
            kept = np.sort(windows, axis=1)[:, self._cut : self._size - self._cut]
            means = kept.mean(axis=1)
            allowed = self._times * kept.std(axis=1, ddof=1) + self._granularity
            far[places] = ~(np.abs(values[places] - means) < allowed)
        return far

    def _breach(
        self, rows: Rows, groups: Groups, prices: Floats, far: Booleans
    ) -> Sequence[Breach]:
        found: Booleans = np.zeros(len(rows), dtype=np.bool_)
        found[groups.order] = far
        return breach(
            "TICK_BROWNLEES_GALLO",
            found,
            lambda row: (
                f"{prices[row]:.10g} is {self._times:g} standard deviations and "
                f"{self._granularity:g} or more from the trimmed mean of {self._size} prices of "
                "its symbol"
            ),
        )
