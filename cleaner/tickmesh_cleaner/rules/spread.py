"""`x-tick-spread`: a spread many times as wide as is usual.

Barndorff-Nielsen, Hansen, Lunde, Shephard, "Realized kernels in practice", Econometrics Journal 12
(2009), rule Q3: delete entries whose spread is more than 50 times the median spread of the day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tickmesh_cleaner.rules.memory import Cell
from tickmesh_cleaner.rules.quotes import QuoteFields
from tickmesh_cleaner.rules.rows import breach
from tickmesh_cleaner.rules.rule import Rule
from tickmesh_cleaner.rules.severity import REJECT_OR_FLAG, Severity
from tickmesh_cleaner.rules.windows import TrailingWindows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh_cleaner.rules.memory import Memory
    from tickmesh_cleaner.rules.parameters import Parameters
    from tickmesh_cleaner.rules.rows import Booleans, Breach, Floats, Groups, Rows

_DAY_NS = 86_400 * 10**9


class Spread(Rule):
    """A spread of more than so many medians. Crossed quotes are not asked about, nor remembered.

    Causal form: the median of the last so many quotes of the symbol, flagged ones included. Centred
    form: that of all its quotes of the day (UTC). Where the median is 0 there is no verdict.
    """

    keyword = "x-tick-spread"
    remembers = True

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._quote = QuoteFields(parameters)
        self._size = parameters.integer("window", default=100, least=4, most=1_000)
        self._times = parameters.number("times", default=50.0, above=1)
        self._day_of = parameters.roles.event_time
        self.severity = parameters.severity(default=Severity.FLAG, allowed=REJECT_OR_FLAG)

    def cells(self) -> Mapping[str, Cell]:
        """The last spreads of each symbol."""
        return {"spreads": Cell("<f8", np.nan, (self._size,))}

    def judge(self, rows: Rows, memory: Memory) -> Sequence[Breach]:
        """See `Rule.judge`."""
        spreads, groups = self._spreads(rows)
        values = spreads[groups.order]
        if not len(values):
            return ()
        windows = TrailingWindows(values, groups, memory.cells["spreads"], self._size)
        wide: Booleans = np.zeros(len(values), dtype=np.bool_)
        # No median is below the least value.
        unproven = np.flatnonzero(windows.ready & ~(values <= self._times * windows.least()))
        for places, window in windows.pieces(unproven):
            wide[places] = self._is_wide(values[places], np.median(window, axis=1))
        return self._breach(rows, groups, spreads, wide)

    def judge_whole(self, rows: Rows, memory: Memory) -> Sequence[Breach]:  # noqa: ARG002 - all rows are here
        """See `Rule.judge_whole`."""
        spreads, groups = self._spreads(rows)
        days = np.zeros(len(rows), dtype=np.int64)
        if self._day_of is not None:
            days = rows.integers(self._day_of) // _DAY_NS
        wide: Booleans = np.zeros(len(groups.order), dtype=np.bool_)
        for start, stop in zip(groups.starts[:-1], groups.starts[1:], strict=True):
            own = spreads[groups.order[start:stop]]
            _, day = np.unique(days[groups.order[start:stop]], return_inverse=True)
            medians = np.array([np.median(own[day == each]) for each in range(day.max() + 1)])
            wide[start:stop] = self._is_wide(own, medians[day])
        return self._breach(rows, groups, spreads, wide)

    def _spreads(self, rows: Rows) -> tuple[Floats, Groups]:
        spreads = self._quote.spread(rows)
        with np.errstate(invalid="ignore"):
            return spreads, rows.groups(
                self._quote.quoted(rows) & (spreads >= 0) & np.isfinite(spreads)
            )

    def _is_wide(self, spreads: Floats, medians: Floats) -> Booleans:
        wide: Booleans = (spreads > self._times * medians) & (medians > 0)
        return wide

    def _breach(
        self, rows: Rows, groups: Groups, spreads: Floats, wide: Booleans
    ) -> Sequence[Breach]:
        found: Booleans = np.zeros(len(rows), dtype=np.bool_)
        found[groups.order] = wide
        return breach(
            "TICK_SPREAD",
            found,
            lambda row: (
                f"the spread {spreads[row]:.10g} is more than {self._times:g} times the median "
                "spread of its symbol"
            ),
        )
