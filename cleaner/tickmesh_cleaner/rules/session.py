"""`x-tick-session`: rows stand within the trading sessions of a calendar.

Barndorff-Nielsen, Hansen, Lunde, Shephard, "Realized kernels in practice", Econometrics Journal 12
(2009), rule P1: delete entries outside the hours of trading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tickmesh_cleaner.rules.calendar import Calendar, calendar_of, shipped_calendar, shipped_names
from tickmesh_cleaner.rules.rows import breach
from tickmesh_cleaner.rules.rule import Rule
from tickmesh_cleaner.rules.severity import REJECT_OR_FLAG, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_cleaner.rules.memory import Memory
    from tickmesh_cleaner.rules.parameters import Parameters
    from tickmesh_cleaner.rules.rows import Booleans, Breach, Integers, Rows

_COMPARED = 4
"""Up to this many sessions in a batch, comparing with each beats looking each row up."""


class SessionHours(Rule):
    """A row whose time lies in no session, both ends of a session included."""

    keyword = "x-tick-session"
    shorthand = "calendar"

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._calendar = _calendar(parameters)
        self._by = parameters.time_field("by")
        self.data_version = f"{self._calendar.name} {self._calendar.version}"
        self.severity = parameters.severity(default=Severity.REJECT, allowed=REJECT_OR_FLAG)

    def judge(self, rows: Rows, memory: Memory) -> Sequence[Breach]:  # noqa: ARG002 - it keeps none
        """See `Rule.judge`."""
        instants = rows.integers(self._by)
        present = rows.present(self._by)
        known = instants if bool(present.all()) else instants[present]
        if not len(known):
            return ()
        first, last = int(known.min()), int(known.max())
        opens, closes = self._calendar.sessions_between(first, last)
        if len(opens) and opens[0] <= first and last <= closes[0]:
            return ()
        return breach(
            "TICK_SESSION",
            ~_within(instants, opens, closes) & present,
            lambda row: self._calendar.describe(int(instants[row])),
        )


def _within(instants: Integers, opens: Integers, closes: Integers) -> Booleans:
    within: Booleans = np.zeros(len(instants), dtype=np.bool_)
    if len(opens) <= _COMPARED:
        for start, end in zip(opens.tolist(), closes.tolist(), strict=True):
            within |= (instants >= start) & (instants <= end)
        return within
    place = np.searchsorted(opens, instants, side="right") - 1
    found = place >= 0
    within[found] = instants[found] <= closes[place[found]]
    return within


def _calendar(parameters: Parameters) -> Calendar:
    value: Any = parameters.given("calendar")
    if isinstance(value, dict):
        return calendar_of(
            value, refuse=lambda message, *path: parameters.refuse(message, "calendar", *path)
        )
    known = shipped_calendar(value) if isinstance(value, str) else None
    if known is None:
        names = ", ".join(shipped_names())
        parameters.refuse(
            f"expected a calendar as an object, or the name of one of these: {names}", "calendar"
        )
    assert known is not None
    return known
