"""Retention, snapshots and deletion on disk: what survives a restart, and which files go."""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.ticks import DATASET, SCHEMA, VERSION_1, admit, put, sizes, ticks
from tickmesh_tickstore.domain.errors import (
    DatasetDamagedError,
    DatasetNotFoundError,
    DiskFullError,
    PositionExpiredError,
    SnapshotGoneError,
)
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.positions import Position
from tickmesh_tickstore.domain.requests import ScanRequest
from tickmesh_tickstore.domain.retention import Retention
from tickmesh_tickstore.engine import DiskEngine
from tickmesh_tickstore.engine.disk.filesystem import PosixFileSystem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW_NS = 1_000
OLD = Retention(max_age_ns=NOW_NS - 195)
"""Drops the first twenty of the rows `filled` puts."""


def open_store(root: Path) -> DiskEngine:
    return DiskEngine(root, now_ns=lambda: NOW_NS)


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[DiskEngine]:
    """Four segments of ten rows."""
    store = open_store(tmp_path)
    store.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    for number in range(4):
        put(store, ticks(10, first=10 * number))
        store.flush(DATASET, timeout_seconds=30)
    # Sealing wakes the settler, and what it looks at is held: let it have come by.
    store._settler.compact("no dataset", timeout_seconds=30)
    yield store
    store.close()


def segment_files(root: Path) -> int:
    return len(list(root.glob("datasets/*/segments/*")))


def as_of(revision: int) -> ScanRequest:
    return ScanRequest(dataset=DATASET, as_of_revision=revision)


@pytest.mark.parametrize("since", ["nothing", "settled", "sealed", "compacted"])
def test_what_was_dropped_stays_so_after_a_restart(
    filled: DiskEngine, tmp_path: Path, since: str
) -> None:
    """Whether the log or, once that is sealed, the manifest tells of it."""
    assert filled.trim(DATASET, OLD) == 20
    if since == "settled":
        # What is kept is merged while the log alone tells of what is not.
        dataset_id = filled.dataset(DATASET).dataset_id
        filled._settler.compact(dataset_id, timeout_seconds=30)
        assert filled.statistics(DATASET).settled_rows == 20
    if since == "sealed":
        put(filled, ticks(1, first=40))
        filled.flush(DATASET, timeout_seconds=30)
    if since == "compacted":
        filled.compact(DATASET, timeout_seconds=30)
    kept = sizes(filled)
    filled.close()
    for _ in range(2):
        store = open_store(tmp_path)
        assert sizes(store) == kept
        assert store.statistics(DATASET).rows == len(kept)
        assert store.statistics(DATASET).retained_from_revision == 3
        assert sizes(store, as_of(3)) == list(range(30))
        with pytest.raises(PositionExpiredError):
            store.follow(DATASET, after=Position(1, 3))
        store.close()


def test_the_files_of_dropped_rows_are_really_gone(filled: DiskEngine, tmp_path: Path) -> None:
    assert segment_files(tmp_path) == 4
    before = filled.statistics(DATASET)
    filled.trim(DATASET, OLD)
    held = filled.statistics(DATASET)
    assert segment_files(tmp_path) == 4
    assert held.segment_bytes + held.dropped_bytes == before.segment_bytes
    freed = filled.reclaim(DATASET, dropped_before_ns=NOW_NS)
    assert freed == before.segment_bytes - held.segment_bytes
    assert segment_files(tmp_path) == 2
    filled.close()
    store = open_store(tmp_path)
    assert sizes(store) == list(range(20, 40))
    for revision in (1, 4):
        with pytest.raises(SnapshotGoneError):
            store.scan(as_of(revision))
    assert sizes(store, as_of(5)) == list(range(20, 40))
    store.close()


def test_a_snapshot_and_its_rows_survive_restart_and_retention(
    filled: DiskEngine, tmp_path: Path
) -> None:
    made = filled.create_snapshot("friday")
    put(filled, ticks(10, first=40))
    filled.trim(DATASET, Retention(max_bytes=1))
    filled.close()
    store = open_store(tmp_path)
    assert store.snapshots() == (made,)
    store.reclaim(DATASET, dropped_before_ns=NOW_NS)
    assert segment_files(tmp_path) == 4
    assert sizes(store, as_of(4)) == list(range(40))
    store.delete_snapshot("friday")
    store.reclaim(DATASET, dropped_before_ns=NOW_NS)
    assert segment_files(tmp_path) == 0
    store.close()
    store = open_store(tmp_path)
    assert (store.snapshots(), sizes(store)) == ((), list(range(40, 50)))
    store.close()


def test_files_left_by_a_crash_between_manifest_and_removal_go_at_the_next_start(
    filled: DiskEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.trim(DATASET, OLD)
    monkeypatch.setattr(filled._files, "remove", lambda path: None)
    filled.reclaim(DATASET, dropped_before_ns=NOW_NS)
    filled.close()
    assert segment_files(tmp_path) == 4
    store = open_store(tmp_path)
    assert segment_files(tmp_path) == 2
    assert sizes(store) == list(range(20, 40))
    store.close()


def test_a_deleted_dataset_leaves_no_file_and_does_not_come_back(
    filled: DiskEngine, tmp_path: Path
) -> None:
    put(filled, ticks(1, first=40))
    filled.create_dataset("other", stamp=VERSION_1, schema=SCHEMA)
    assert filled.delete_dataset(DATASET) == 41
    assert len(list(tmp_path.glob("datasets/*"))) == 1
    filled.close()
    store = open_store(tmp_path)
    assert [info.name for info in store.datasets()] == ["other"]
    store.close()


def test_what_a_crash_left_of_a_deleted_dataset_goes_at_the_next_start(
    filled: DiskEngine, tmp_path: Path
) -> None:
    filled.create_dataset("other", stamp=VERSION_1, schema=SCHEMA)
    dataset_id = filled.dataset(DATASET).dataset_id
    with filled._directory_of(dataset_id).marked_deleted(filled._files):
        filled._manifest.delete_dataset(dataset_id)
    filled.close()
    store = open_store(tmp_path)
    assert [info.name for info in store.datasets()] == ["other"]
    assert len(list(tmp_path.glob("datasets/*"))) == 1
    store.close()


def test_a_damaged_dataset_may_be_deleted(filled: DiskEngine, tmp_path: Path) -> None:
    filled.close()
    next(tmp_path.glob("datasets/*/segments/*")).unlink()
    store = open_store(tmp_path)
    assert store.dataset(DATASET).damage
    assert store.delete_dataset(DATASET) == 40
    store.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    put(store, ticks(1))
    assert sizes(store) == [0]
    store.close()


def test_a_dataset_is_deleted_while_it_is_sealed_and_settled(tmp_path: Path) -> None:
    limits = EngineLimits(log_bytes=4_096, settled_rows=256, settle_after_seconds=0.0)
    store = DiskEngine(tmp_path, limits=limits)
    store.create_dataset("other", stamp=VERSION_1, schema=SCHEMA)
    for _ in range(4):
        store.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
        for number in range(30):
            store.append(DATASET, ticks(64, first=64 * number), stamp=VERSION_1, judge=admit)
        store.delete_dataset(DATASET)
        assert len(list(tmp_path.glob("datasets/*"))) == 1
    # Neither thread broke over it.
    store.append("other", ticks(64), stamp=VERSION_1, judge=admit).result(30)
    store.compact("other", timeout_seconds=30)
    assert store.statistics("other").settled_rows == 64
    store.close()


class HeldFiles(PosixFileSystem):
    """Holds the settler before its segment takes its place, until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.let_go = threading.Event()

    def rename(self, source: Path, target: Path) -> None:
        if target.suffix == ".parquet":
            self.reached.set()
            assert self.let_go.wait(30)
        super().rename(source, target)


def test_deletion_waits_for_the_segments_that_are_being_settled(tmp_path: Path) -> None:
    files = HeldFiles()
    store = DiskEngine(tmp_path, files=files)
    store.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    put(store, ticks(64))

    def compact() -> None:
        # Told that there is nothing to settle any more, or that it is done.
        with contextlib.suppress(DatasetNotFoundError):
            store.compact(DATASET, timeout_seconds=30)

    compacting = threading.Thread(target=compact)
    compacting.start()
    assert files.reached.wait(30)
    deleting = threading.Thread(target=store.delete_dataset, args=(DATASET,))
    deleting.start()
    deleting.join(0.2)
    assert deleting.is_alive()
    files.let_go.set()
    deleting.join(30)
    compacting.join(30)
    assert not list(tmp_path.glob("datasets/*"))
    store.close()


def full(*_: object, **__: object) -> None:
    raise DiskFullError("no space left")


def without_space(
    monkeypatch: pytest.MonkeyPatch, owner: object, method: str, call: Callable[[], object]
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(owner, method, full)
        with pytest.raises(DiskFullError):
            call()


def test_a_dataset_that_cannot_be_deleted_is_there_at_the_next_start(
    filled: DiskEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filled._manifest, "delete_dataset", full)
    with pytest.raises(DiskFullError):
        filled.delete_dataset(DATASET)
    with pytest.raises(DatasetDamagedError, match="delete it again, or restart"):
        filled.scan(ScanRequest(dataset=DATASET))
    filled.close()
    store = open_store(tmp_path)
    assert sizes(store) == list(range(40))
    store.close()


def test_a_deletion_that_failed_may_be_tried_again(
    filled: DiskEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_space(
        monkeypatch, filled._manifest, "delete_dataset", lambda: filled.delete_dataset(DATASET)
    )
    assert filled.delete_dataset(DATASET) == 40
    assert not list(tmp_path.glob("datasets/*"))


def test_t11_retention_that_finds_no_space_changes_nothing(
    filled: DiskEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_space(
        monkeypatch, filled._datasets[DATASET].journal, "write", lambda: filled.trim(DATASET, OLD)
    )
    assert sizes(filled) == list(range(40))
    assert filled.trim(DATASET, OLD) == 20
    without_space(
        monkeypatch,
        filled._manifest,
        "reclaim",
        lambda: filled.reclaim(DATASET, dropped_before_ns=NOW_NS),
    )
    assert sizes(filled, as_of(4)) == list(range(40))
    without_space(
        monkeypatch, filled._manifest, "add_snapshot", lambda: filled.create_snapshot("a")
    )
    assert filled.snapshots() == ()
