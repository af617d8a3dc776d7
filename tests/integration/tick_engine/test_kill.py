"""T2, T3, T4 and T10 under kill -9: what was acknowledged is there, once, in order."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.integration.tick_engine.kill_victim import LIMITS, PRODUCER, ROWS
from tests.support.ticks import DATASET, sizes
from tickmesh_tickstore.engine import DiskEngine

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[3]


def run_and_kill(store: Path, seconds: float) -> int:
    """Run the victim, kill it some time after its first acknowledgement; the last one it told."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    victim = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.tick_engine.kill_victim", str(store)],
        stdout=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    )
    assert victim.stdout is not None
    first = victim.stdout.readline()
    assert first, "the victim died by itself"
    time.sleep(seconds)
    victim.send_signal(signal.SIGKILL)
    rest, _ = victim.communicate(timeout=30)
    assert victim.returncode == -signal.SIGKILL
    # The kill may have torn the last line.
    told = (first + rest).rpartition(b"\n")[0].split()
    return int(told[-1])


@pytest.mark.parametrize(
    "cycles", [10, pytest.param(200, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
def test_t2_t4_kill_9_loses_nothing_acknowledged_and_doubles_nothing(
    tmp_path: Path, cycles: int
) -> None:
    seed = int(os.environ.get("TICKMESH_SEED", "20240808"))
    print(f"TICKMESH_SEED={seed}")  # the seed repeats a failure
    chance = random.Random(seed)
    for cycle in range(cycles):
        acknowledged = run_and_kill(tmp_path / "store", chance.uniform(0, 0.2))
        engine = DiskEngine(tmp_path / "store", limits=LIMITS)
        try:
            stored = sizes(engine)
            last = engine.open_producer(DATASET, PRODUCER).last_sequence
        finally:
            engine.close()
        assert last >= acknowledged, (seed, cycle)
        assert stored == list(range(ROWS * last)), (seed, cycle)
