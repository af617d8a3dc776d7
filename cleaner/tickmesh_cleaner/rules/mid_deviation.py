"""`x-tick-mid-deviation`: a mid-quote far from the median of its neighbours.

Barndorff-Nielsen, Hansen, Lunde, Shephard, "Realized kernels in practice", Econometrics Journal 12
(2009), rule Q4: delete entries whose mid-quote deviates by more than 10 mean absolute deviations
from a rolling centred median (excluding the observation) of 50 observations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tickmesh_cleaner.rules.memory import Cell
from tickmesh_cleaner.rules.quotes import QuoteFields
from tickmesh_cleaner.rules.rows import breach
from tickmesh_cleaner.rules.rule import Rule
from tickmesh_cleaner.rules.severity import REJECT_OR_FLAG, Severity
from tickmesh_cleaner.rules.windows import TrailingWindows, neighbourhoods

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tickmesh_cleaner.rules.memory import Memory
    from tickmesh_cleaner.rules.parameters import Parameters
    from tickmesh_cleaner.rules.rows import Booleans, Breach, Floats, Groups, Integers, Rows


class MidDeviation(Rule):
    """A mid-quote that is further from the median than so many mean absolute deviations.

    Causal form: of the last so many quotes of the symbol; flagged ones count as well, so that a
    jump that lasts becomes the median. Centred form: of those around it.
    """

    keyword = "x-tick-mid-deviation"
    remembers = True

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._quote = QuoteFields(parameters)
        self._size = parameters.integer("window", default=50, least=4, most=1_000)
        self._times = parameters.number("times", default=10.0, above=0)
        self._floor = parameters.number("floor", default=0.0, least=0)
        self.severity = parameters.severity(default=Severity.FLAG, allowed=REJECT_OR_FLAG)

    def cells(self) -> Mapping[str, Cell]:
        """The last mid-quotes of each symbol."""
        return {"mids": Cell("<f8", np.nan, (self._size,))}

    def judge(self, rows: Rows, memory: Memory) -> Sequence[Breach]:
        """See `Rule.judge`."""
        mids = self._quote.mid(rows)
        groups = rows.groups(self._quote.quoted(rows) & np.isfinite(mids))
        values = mids[groups.order]
        if not len(values):
            return ()
        windows = TrailingWindows(values, groups, memory.cells["mids"], self._size)
        farthest = np.maximum(values - windows.least(), windows.largest() - values)
        within = np.maximum(self._times * windows.least_deviation(), self._floor)
        unproven = np.flatnonzero(windows.ready & ~(farthest <= within))
        far = self._far(values, windows.pieces(unproven))
        return self._breach(rows, groups, mids, far)

    def judge_whole(self, rows: Rows, memory: Memory) -> Sequence[Breach]:  # noqa: ARG002 - all rows are here
        """See `Rule.judge_whole`."""
        mids = self._quote.mid(rows)
        groups = rows.groups(self._quote.quoted(rows) & np.isfinite(mids))
        values = mids[groups.order]
        far: Booleans = np.zeros(len(values), dtype=np.bool_)
        for start, stop in zip(groups.starts[:-1], groups.starts[1:], strict=True):
            own = values[start:stop]
            far[start:stop] = self._far(own, neighbourhoods(own, self._size))
        return self._breach(rows, groups, mids, far)

    def _far(self, values: Floats, pieces: Iterable[tuple[Integers, Floats]]) -> Booleans:
        far: Booleans = np.zeros(len(values), dtype=np.bool_)
        for places, windows in pieces:
            medians = np.median(windows, axis=1)
            deviations = np.abs(windows - medians[:, np.newaxis]).mean(axis=1)
            allowed = np.maximum(self._times * deviations, self._floor)
            far[places] = np.abs(values[places] - medians) > allowed
        return far

    def _breach(self, rows: Rows, groups: Groups, mids: Floats, far: Booleans) -> Sequence[Breach]:
        found: Booleans = np.zeros(len(rows), dtype=np.bool_)
        found[groups.order] = far
        return breach(
            "TICK_MID_DEVIATION",
            found,
            lambda row: (
                f"the mid-quote {mids[row]:.10g} is more than {self._times:g} mean absolute "
                f"deviations from the median of {self._size} quotes of its symbol"
            ),
        )
