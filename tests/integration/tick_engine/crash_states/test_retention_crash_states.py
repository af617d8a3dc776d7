"""T7 at a power cut: what was dropped stays dropped, what was pinned is there, nothing is halved.

As in `test_crash_states.py`, every disk that a cut may leave is rebuilt from recorded system calls
and opened.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.integration.tick_engine.crash_states.rebuilt_disk import Disk, Recorded, crash_states
from tests.integration.tick_engine.crash_states.recorded_calls import record
from tests.integration.tick_engine.crash_states.retention_victim import (
    NOW_NS,
    OTHER,
    ROWS,
    SNAPSHOT,
    SNAPSHOT_REVISION,
    rows_at,
)
from tests.support.ticks import DATASET, integers, sizes
from tickmesh_tickstore.domain.errors import SnapshotGoneError
from tickmesh_tickstore.domain.requests import ScanRequest
from tickmesh_tickstore.engine import DiskEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

SEED = int(os.environ.get("TICKMESH_SEED", "20261122"))
STORE = "home/store"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    base = tmp_path_factory.mktemp("recorded")
    calls = record(
        "tests.integration.tick_engine.crash_states.retention_victim",
        [str(base / STORE)],
        trace=tmp_path_factory.mktemp("trace") / "calls",
    )
    return Recorded.of(calls, base=base)


@pytest.fixture
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as made:
        yield Path(made) / "disk"


def seen_on(disk: Disk, folder: Path) -> dict[str, int]:
    """Open a disk and say what is there; raises where anything is halved."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    disk.write_to(folder)
    engine = DiskEngine(folder / STORE, now_ns=lambda: NOW_NS)
    try:
        names = {info.name for info in engine.datasets()}
        assert not [info.damage for info in engine.datasets() if info.damage]
        # What is left of a deleted dataset is known for what it is, and goes.
        known = {info.dataset_id for info in engine.datasets()}
        left = [path.name for path in (folder / STORE).glob("datasets/*")]
        assert set(left) <= known, "files of no dataset stay"
        seen = {"deleted": int(OTHER not in names), "other": 0, "snapshot": 0, "revision": 0}
        if OTHER in names:
            rows = engine.scan(ScanRequest(dataset=OTHER)).read_all()
            seen["other"] = int(rows.num_rows == 2 * ROWS)
        if DATASET not in names:
            return seen
        seen["revision"] = engine.dataset(DATASET).revision
        assert sizes(engine) == rows_at(seen["revision"])
        for revision in range(seen["revision"] + 1):
            as_of = ScanRequest(dataset=DATASET, as_of_revision=revision)
            try:
                found = integers(engine.scan(as_of).read_all(), "size")
            except SnapshotGoneError:
                continue
            assert found == rows_at(revision), f"revision {revision} shows other rows"
            if revision == SNAPSHOT_REVISION and engine.snapshots():
                assert engine.snapshot(SNAPSHOT).revision_of(DATASET) == revision
                seen["snapshot"] = 1
        # A second cut right after changes nothing more.
        engine.reclaim(DATASET, dropped_before_ns=NOW_NS)
        assert sizes(engine) == rows_at(seen["revision"])
    finally:
        engine.close()
    return seen


def complaints(recorded: Recorded, folder: Path, *, every: int = 1) -> Iterator[str]:
    """What is wrong with every so many of the disks that may be left; one line each."""
    known: dict[bytes, dict[str, int] | str] = {}
    states = crash_states(recorded, chance=random.Random(SEED), samples=1)
    for moment, disk in islice(states, 0, None, every):
        told = [json.loads(text) for began, text in recorded.messages if began < moment]
        digest = disk.digest()
        if digest not in known:
            try:
                known[digest] = seen_on(disk, folder)
            except Exception as error:  # noqa: BLE001  # whatever opening raises, it is a finding
                known[digest] = f"{type(error).__name__}: {error}"
        seen = known[digest]
        promised: dict[str, int] = told[-1] if told else {}
        broken = (
            seen
            if isinstance(seen, str)
            else ", ".join(
                f"{name} {least} was promised, found {seen[name]}"
                for name, least in promised.items()
                if seen[name] < least
            )
        )
        if broken:
            yield f"TICKMESH_SEED={SEED}, cut before call {moment}: {broken}"
    assert len(known) > 50


def test_t7_no_power_cut_brings_dropped_rows_back_or_takes_pinned_ones(
    recorded: Recorded, folder: Path
) -> None:
    assert list(complaints(recorded, folder, every=12)) == []


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_t7_no_power_cut_of_all_brings_dropped_rows_back_or_takes_pinned_ones(
    recorded: Recorded, folder: Path
) -> None:
    assert list(complaints(recorded, folder)) == []


@pytest.mark.parametrize("kind", ["logs/*.log", "manifest.sqlite-wal"])
def test_t7_what_is_promised_of_retention_needs_its_syncs(
    recorded: Recorded, folder: Path, kind: str
) -> None:
    forgetful = recorded.without(kind)
    assert next(complaints(forgetful, folder, every=3), None) is not None
