"""Work is counted in steps; the clock is the last resort and pauses in it change no verdict."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import pytest

from tickmesh.schema.compatibility import Mode, Policy, Verdict, compare
from tickmesh.schema.compatibility.budget import Budget, WorkSpentError


class _Clock:
    """A thread's processor time that stands still but for what a test adds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        self.looks = 0
        self.pause_at = -1
        monkeypatch.setattr(time, "thread_time", self._look)

    def _look(self) -> float:
        self.looks += 1
        if self.looks == self.pause_at:
            self.now += 60.0
        return self.now


def _field(schema: Any) -> str:
    return json.dumps({"type": "object", "properties": {"f": schema}})


def _spend_slowly(work: Budget, clock: _Clock) -> None:
    for _ in range(1_000):
        clock.now += 0.01
        work.spend()


_NAMES = {"type": "object", "additionalProperties": {"type": "number"}}


def test_steps_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of steps binds whatever the clock says."""
    _Clock(monkeypatch)
    work = Budget(steps=3, seconds=1.0)
    work.spend(2)
    with pytest.raises(WorkSpentError):
        work.spend()
    assert work.spent


def test_work_that_takes_long_again_and_again_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds end what steps do not: each look adds what passed, up to a bound."""
    clock = _Clock(monkeypatch)
    work = Budget(steps=1_000_000, seconds=0.1)
    with pytest.raises(WorkSpentError):
        _spend_slowly(work, clock)
    assert clock.now == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("writer", "reader", "truth"),
    [
        (
            _field(_NAMES),
            _field(_NAMES | {"propertyNames": {"maxLength": 2}}),
            Verdict.INCOMPATIBLE,
        ),
        (
            _field({"enum": ["a", "b"]}),
            _field({"type": "string", "pattern": "^[ab]$"}),
            Verdict.COMPATIBLE,
        ),
    ],
)
def test_a_pause_changes_no_verdict(
    writer: str, reader: str, truth: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A minute lost at any one point of a comparison, say to the garbage collector, is nothing."""
    for pause_at in itertools.count(1):
        clock = _Clock(monkeypatch)
        clock.pause_at = pause_at
        report = compare(writer, reader, policy=Policy.RECORD, mode=Mode.BACKWARD)
        assert report.verdict is truth, pause_at
        if clock.looks < pause_at:
            break
