"""W1 to W8 and what follows of them, as the C++ client's watch keeps them while everything breaks.

The run is the harness's own (tests/chaos): the registry is killed, frozen and drained, its log
compacted three times a second, the wires cut, stalled, reset and half-open, while writers write.
What the C++ client handed over is judged by the validators of all watchers.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.chaos.history import Converged, WatchOpened, WatchResponded
from tests.chaos.run import Settings, run
from tests.support.gtest_program import GtestProgram

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

SECONDS = 15.0
LEAST_EVENTS = 50
"""However slow the machine: a watch that was handed less has proven nothing."""


@pytest.mark.parametrize(
    ("preset", "seed"),
    [
        pytest.param("asan", 1),
        pytest.param("asan", 2, marks=pytest.mark.long),
        pytest.param("tsan", 3, marks=pytest.mark.long),
    ],
)
def test_w1_to_w8_hold_through_the_fault_proxy(preset: str, seed: int, tmp_path: Path) -> None:
    recorder = GtestProgram(preset, "tickmesh_watch_recorder").path
    assert recorder.exists(), f"{recorder} is not built: `make test` builds it"
    settings = Settings(seconds=SECONDS, seed=seed, watchers=2, recorder=str(recorder))
    report = asyncio.run(run(settings, tmp_path))
    assert not report.violations, "\n".join(map(str, report.violations[:10]))
    assert not report.evidence.log.unread, report.summary()

    history = report.evidence.history
    streams = {o.stream: o for o in history.of(WatchOpened) if o.watcher.startswith("cpp-")}
    seen = [r for r in history.of(WatchResponded) if r.stream in streams]
    assert sum(len(response.events) for response in seen) > LEAST_EVENTS, report.summary()
    assert {opened.start for opened in streams.values()} == {"snapshot", "after_token"}
    reached = {c.watcher for c in history.of(Converged) if c.reached >= c.target}
    assert {opened.watcher for opened in streams.values()} <= reached
