"""T2, T3, T4 and T10 at a power cut: whatever the disk kept of what was not synced.

The system calls of a process are recorded, with the moments at which it was promised something.
From them every disk is rebuilt that a cut may leave (writes lost, torn, reordered; names lost), and
opened: what was acknowledged is there, once and in order, and the store goes on. Forgetting one
kind of sync must make that fail, or the sync would be for nothing.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.integration.tick_engine.crash_states.rebuilt_disk import Disk, Recorded, crash_states
from tests.integration.tick_engine.crash_states.recorded_calls import record
from tests.integration.tick_engine.crash_states.victim import (
    LIMITS,
    MESSAGES,
    PRODUCER,
    rows_before,
)
from tests.support.ticks import DATASET, SCHEMA, VERSION_1, decoded, put, ticks
from tickmesh_tickstore.domain.producers import ProducerSequence
from tickmesh_tickstore.domain.requests import ScanRequest
from tickmesh_tickstore.engine import DiskEngine
from tickmesh_tickstore.engine.disk.filesystem import PosixFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

SEED = int(os.environ.get("TICKMESH_SEED", "20261122"))
ROWS = decoded(pa.Table.from_batches([ticks(rows_before(len(MESSAGES)))]))
STORE = "home/store"
"""Where the store is below what is recorded; the process makes both directories."""
NEEDED_SYNCS = (
    "/",
    "home/",
    "store/",
    "datasets/",
    "<dataset>/",
    "logs/",
    "logs/*.log",
    "segments/",
    "segments/*.arrow",
    "staging/*.arrow",
    "staging/*.parquet",
    "manifest.sqlite-wal",
)
SQLITES_OWN = {"manifest.sqlite", "manifest.sqlite-journal"}
"""Syncs that SQLite makes for itself, when it makes a database and when it closes one."""
EDGES = [rows_before(count) for count in range(len(MESSAGES) + 1)]


class _UnsyncedFiles(PosixFileSystem):
    """What is opened here is thrown away: syncing it would only take time."""

    def sync(self, descriptor: int) -> None:
        del descriptor

    def sync_directory(self, path: Path) -> None:
        del path


class Inspector:
    """Opens rebuilt stores, and remembers what it saw of equal ones."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[bytes, tuple[int, int] | str] = {}

    @property
    def opened(self) -> int:
        """Different disks that were opened."""
        return len(self._seen)

    def complaint(self, disk: Disk, promised: dict[str, int]) -> str:
        """What is wrong with a disk; empty when everything promised is there."""
        digest = disk.digest()
        if digest not in self._seen:
            try:
                self._seen[digest] = self._open(disk)
            except Exception as error:  # noqa: BLE001  # whatever opening raises, it is a finding
                self._seen[digest] = f"{type(error).__name__}: {error}"
        seen = self._seen[digest]
        if isinstance(seen, str):
            return seen
        messages, epoch = seen
        if messages < promised.get("messages", 0):
            return f"{promised['messages']} messages were acknowledged, {messages} are there"
        if epoch < promised.get("epoch", 0):
            return f"epoch {promised['epoch']} was handed out, the newest known is {epoch}"
        return ""

    def _open(self, disk: Disk) -> tuple[int, int]:
        """Open the store, use it and open it again; its messages and the newest epoch it knew."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        disk.write_to(self._folder)
        engine = DiskEngine(self._folder / STORE, limits=LIMITS, files=_UnsyncedFiles())
        try:
            if not engine.datasets():
                engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
            found = decoded(engine.scan(ScanRequest(dataset=DATASET)).read_all())
            assert found.num_rows in EDGES, f"{found.num_rows} rows end within a message"
            assert found.equals(ROWS.slice(0, found.num_rows)), "other rows than were sent"
            messages = EDGES.index(found.num_rows)
            state = engine.open_producer(DATASET, PRODUCER)
            assert state.last_sequence == messages, f"{messages} messages, last is {state}"
            more = put(
                engine, ticks(1), producer=ProducerSequence(PRODUCER, state.epoch, messages + 1)
            )
            assert not more.duplicate
        finally:
            engine.close()
        if disk.digest()[0] % 4:
            return messages, state.epoch - 1
        engine = DiskEngine(self._folder / STORE, limits=LIMITS, files=_UnsyncedFiles())
        try:
            again = engine.scan(ScanRequest(dataset=DATASET)).read_all().num_rows
            assert again == found.num_rows + 1, f"{again} rows after one more and a restart"
        finally:
            engine.close()
        return messages, state.epoch - 1


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    base = tmp_path_factory.mktemp("recorded")
    calls = record(
        "tests.integration.tick_engine.crash_states.victim",
        [str(base / STORE)],
        trace=tmp_path_factory.mktemp("trace") / "calls",
    )
    return Recorded.of(calls, base=base)


@pytest.fixture(scope="module")
def inspector() -> Iterator[Inspector]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Inspector(Path(folder) / "disk")


def complaints(
    recorded: Recorded, inspector: Inspector, *, samples: int = 1, share: float = 1.0
) -> Iterator[str]:
    """What is wrong with the disks that may be left, or a share of them; one line each."""
    chance = random.Random(SEED)
    for moment, disk in crash_states(recorded, chance=random.Random(SEED), samples=samples):
        if chance.random() > share:
            continue
        promised = [json.loads(told) for began, told in recorded.messages if began < moment]
        complaint = inspector.complaint(disk, promised[-1] if promised else {})
        if complaint:
            yield f"TICKMESH_SEED={SEED}, cut before call {moment}: {complaint}"


def test_t2_t10_no_power_cut_loses_doubles_or_breaks_anything(
    recorded: Recorded, inspector: Inspector
) -> None:
    assert list(complaints(recorded, inspector, share=0.04)) == []
    assert inspector.opened > 120


@pytest.mark.parametrize("kind", NEEDED_SYNCS)
def test_t2_every_kind_of_sync_is_needed(
    recorded: Recorded, inspector: Inspector, kind: str
) -> None:
    assert {sync.kind for sync in recorded.syncs} - SQLITES_OWN == set(NEEDED_SYNCS)
    found = next(complaints(recorded.without(kind), inspector), None)
    assert found is not None, f"nothing is lost without syncs of {kind}"


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_t2_t10_no_power_cut_of_very_many_breaks_anything(
    recorded: Recorded, inspector: Inspector
) -> None:
    assert list(complaints(recorded, inspector, samples=200)) == []
