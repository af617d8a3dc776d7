"""T2, T4 and T11 on a failing disk: each call in turn fails, once or from then on.

The producer of the scenario retries what was refused, restarts a store that says it must be, and
ends with every message stored once. Whatever it was told on the way was the engine's own error.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.tick_engine.faults.victim import MESSAGES

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[4]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
SEED = int(os.environ.get("TICKMESH_SEED", "20261122"))
ERRORS = ("EIO", "ENOSPC")
CALLS = {
    "write,pwrite64,pwritev,pwritev2": 200,
    "fsync,fdatasync": 60,
    "rename": 8,
    "unlink": 8,
    "ftruncate": 4,
    "mkdir": 16,
    "openat": 60,
}
"""What fails, and more calls of it than any thread of the scenario makes: the last faults strike
nothing, which the tests look at."""


def faults() -> list[str]:
    """Every fault, in the words of strace: once, and from then on."""
    return [
        f"{calls}:{error}:{number}{lasting}"
        for calls, count in CALLS.items()
        for error in ERRORS
        for number in range(1, count + 1)
        for lasting in ("", "+")
    ]


def suffer(folder: Path, chosen: list[str]) -> list[dict[str, object]]:
    """Go through the scenario once for each fault; what the producers were told."""
    assert shutil.which("strace") is not None, "strace is missing: run 'make deps'"
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.tick_engine.faults.victim", str(folder)],
        input="\n".join(chosen),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["fault"] for answer in answers] == chosen
    return answers


def broken(answers: list[dict[str, object]]) -> list[dict[str, object]]:
    """The answers that tell of a broken promise."""
    return [answer for answer in answers if answer["wrong"] or answer["messages"] != len(MESSAGES)]


def test_t2_t11_a_disk_that_fails_now_and_then_costs_nothing(tmp_path: Path) -> None:
    print(f"TICKMESH_SEED={SEED}")  # the seed repeats a failure
    chosen = random.Random(SEED).sample(faults(), 40)
    answers = suffer(tmp_path, chosen)
    assert broken(answers) == []
    assert sum(1 for answer in answers if answer["raised"]) > len(chosen) // 4


def test_t11_a_really_full_disk_is_told_and_everything_acknowledged_is_kept(
    tmp_path: Path,
) -> None:
    """On a file system of six megabytes, which writes short before it refuses to write at all."""
    (tmp_path / "small").mkdir()
    alone = ["unshare", "--map-root-user", "--mount"]
    may_mount = subprocess.run([*alone, "true"], check=False, capture_output=True).returncode == 0
    assert may_mount, "allow user namespaces (unshare --map-root-user --mount), or run as root"
    done = subprocess.run(
        [
            *(*alone, sys.executable, "-m", "tests.integration.tick_engine.faults.full_disk"),
            str(tmp_path / "small"),
        ],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    answer = json.loads(done.stdout)
    assert answer["stored"] > 10
    assert answer["refused"] >= 3


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_t2_t11_no_failing_call_costs_anything(tmp_path: Path) -> None:
    answers = suffer(tmp_path, faults())
    assert broken(answers) == []
    for calls in CALLS:
        last = [answer for answer in answers if str(answer["fault"]).startswith(f"{calls}:")][-1]
        assert last["raised"] == [], f"the scenario makes more calls of {calls}: raise its count"
