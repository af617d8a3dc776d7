"""`x-tick-crossed`: a bid above the ask (crossed), and by choice one equal to it (locked).

Barndorff-Nielsen, Hansen, Lunde, Shephard, "Realized kernels in practice", Econometrics Journal 12
(2009), rule Q2: delete entries with a negative spread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_cleaner.rules.quotes import QuoteFields
from tickmesh_cleaner.rules.rows import breach
from tickmesh_cleaner.rules.rule import Rule
from tickmesh_cleaner.rules.severity import REJECT_OR_FLAG, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_cleaner.rules.memory import Memory
    from tickmesh_cleaner.rules.parameters import Parameters
    from tickmesh_cleaner.rules.rows import Breach, Rows


class Crossed(Rule):
    """A quote whose bid is above its ask; locked quotes are legal unless told otherwise."""

    keyword = "x-tick-crossed"

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._quote = QuoteFields(parameters)
        self._locked = parameters.choice("locked", ("allow", "flag", "reject"), default="allow")
        self.severity = parameters.severity(default=Severity.REJECT, allowed=REJECT_OR_FLAG)

    def judge(self, rows: Rows, memory: Memory) -> Sequence[Breach]:  # noqa: ARG002 - it keeps none
        """See `Rule.judge`."""
        bid, ask = rows.column(self._quote.bid), rows.column(self._quote.ask)
        quoted = self._quote.quoted(rows)
        found = breach(
            "TICK_CROSSED",
            self._quote.crossed(rows) & quoted,
            lambda row: f"the bid {bid[row]} is above the ask {ask[row]}",
        )
        if self._locked == "allow":
            return found
        locked = breach(
            "TICK_LOCKED",
            self._quote.locked(rows) & quoted,
            lambda row: f"the bid equals the ask: both are {bid[row]}",
            severity=self._locked,
        )
        return (*found, *locked)
