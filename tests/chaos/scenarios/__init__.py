"""Short courses of events, each made to bring certain bugs to light within seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.scenarios import failing, following, starting

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.chaos.bench import Scenario

SCENARIOS: Mapping[str, Scenario] = {
    scenario.name: scenario
    for module in (following, starting, failing)
    for scenario in module.SCENARIOS
}
