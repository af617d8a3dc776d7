"""Every tick rule, in the order in which rules of a kind are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_cleaner.rules.brownlees_gallo import BrownleesGallo
from tickmesh_cleaner.rules.conditions import Conditions
from tickmesh_cleaner.rules.crossed import Crossed
from tickmesh_cleaner.rules.duplicates import Duplicates
from tickmesh_cleaner.rules.mid_deviation import MidDeviation
from tickmesh_cleaner.rules.order import Order
from tickmesh_cleaner.rules.quote_bounds import QuoteBounds
from tickmesh_cleaner.rules.session import SessionHours
from tickmesh_cleaner.rules.spread import Spread
from tickmesh_cleaner.rules.tick_size import TickSize

if TYPE_CHECKING:
    from tickmesh_cleaner.rules.rule import Rule

FLAGS_KEYWORD = "x-tick-flags"
"""Stands at the field that holds the bits of the rules that flagged a row."""

_RULES: tuple[type[Rule], ...] = (
    SessionHours,
    TickSize,
    Crossed,
    Conditions,
    # What was sent twice is left out before anybody asks whether it comes late.
    Duplicates,
    Order,
    QuoteBounds,
    Spread,
    MidDeviation,
    BrownleesGallo,
)

RULES: dict[str, type[Rule]] = {rule.keyword: rule for rule in _RULES}
"""The rules by their keywords."""
