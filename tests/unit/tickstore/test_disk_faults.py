"""What the disk engine syncs, and what it does when the disk does not do as it is told."""

from __future__ import annotations

import errno
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.ticks import DATASET, SCHEMA, VERSION_1, admit, put, sizes, ticks
from tests.unit.tickstore.conftest import logs, segments
from tests.unit.tickstore.watched_files import WatchedFiles
from tickmesh_tickstore.domain.errors import DiskFullError, StoreFailedError
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.engine.disk.frame import read_header

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa

    from tests.unit.tickstore.conftest import OpenStore
    from tickmesh_tickstore.engine.acknowledgement import AppendFuture
    from tickmesh_tickstore.engine.interface import Judge


@pytest.fixture
def files() -> WatchedFiles:
    return WatchedFiles()


def test_t2_rows_are_synced_before_they_are_acknowledged(
    open_store: OpenStore, files: WatchedFiles
) -> None:
    store = open_store(files=files)
    for _ in range(3):
        files.calls.clear()
        put(store, ticks(1))
        log = "0000000001.log"
        assert files.calls == [("write", log), ("sync", log)]


class OverlappedFiles(WatchedFiles):
    """The second write happens while the first is synced, the third while the second is."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()
        self._writes = self._syncs = 0

    def write(self, descriptor: int, buffers: Sequence[memoryview], offset: int) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self._syncs >= self._writes, 30)
            super().write(descriptor, buffers, offset)
            self._writes += 1
            self._changed.notify_all()

    def sync(self, descriptor: int) -> None:
        with self._changed:
            self._syncs += 1
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._writes > min(self._syncs, 2), 30)
        super().sync(descriptor)


def test_t10_a_frame_written_during_a_sync_is_not_called_synced(
    open_store: OpenStore, tmp_path: Path
) -> None:
    """Else a cut that takes it, and spares a later one, would be taken for damage."""
    files = OverlappedFiles()
    store = open_store(files=files, limits=EngineLimits(overlapped_bytes=1, group_rows=1))
    first_taken, others_wait = threading.Event(), threading.Event()

    def judge(_: pa.RecordBatch) -> object | None:
        first_taken.set()
        others_wait.wait(30)
        return None

    def append(first: int, judge: Judge) -> AppendFuture:
        return store.append(DATASET, ticks(1, first=first), stamp=VERSION_1, judge=judge)

    def judge_once_the_first_is_durable(_: pa.RecordBatch) -> object | None:
        futures[0].result(30)
        return None

    futures = [append(0, judge)]
    first_taken.wait(30)
    futures += [append(1, admit), append(2, judge_once_the_first_is_durable)]
    others_wait.set()
    for future in futures:
        future.result(30)
    (path,) = logs(tmp_path)
    log = memoryview(path.read_bytes())
    offset, synced = 0, []
    while (header := read_header(log, offset)) is not None and header.revision <= 3:
        synced.append((header.revision, header.synced_through))
        offset += header.length
    assert synced == [(1, 0), (2, 0), (3, 1)]


def test_t2_a_new_log_is_in_its_directory_before_it_is_written(
    open_store: OpenStore, files: WatchedFiles
) -> None:
    store = open_store(files=files, limits=EngineLimits(log_bytes=1))
    put(store, ticks(1))
    put(store, ticks(1, first=1))
    calls = files.calls
    created = calls.index(("create", "0000000002.log"))
    assert ("sync_directory", "logs") in calls[created : calls.index(("write", "0000000002.log"))]


def test_t2_a_log_leaves_only_after_its_segment_is_synced(
    open_store: OpenStore, files: WatchedFiles
) -> None:
    store = open_store(files=files, limits=EngineLimits(log_bytes=1))
    put(store, ticks(1))
    store.flush(DATASET, timeout_seconds=30)
    calls = files.calls
    away = calls.index(("rename", "0000000001.spare"))
    synced = calls.index(("sync", "0000000000000000001.arrow"))
    assert synced < calls.index(("sync_directory", "segments"), synced) < away
    assert calls.count(("sync", "0000000000000000001.arrow")) == 1


def test_t3_an_upload_is_synced_before_its_marker_is_written(
    open_store: OpenStore, files: WatchedFiles
) -> None:
    store = open_store(files=files)
    files.calls.clear()
    with store.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        upload.append(ticks(3))
        upload.commit(batches=1, rows=3).result(30)
    kinds = [call for call, _ in files.calls]
    assert kinds[:5] == ["sync", "rename", "sync_directory", "write", "sync"]


def test_t2_after_a_failed_sync_nothing_more_is_written(
    open_store: OpenStore, files: WatchedFiles, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(files=files)
    put(store, ticks(2))
    files.failing["sync"] = errno.EIO
    with pytest.raises(StoreFailedError) as caught:
        put(store, ticks(2, first=2))
    assert "EIO" in caught.value.message
    assert "/" not in caught.value.message
    files.failing.clear()
    files.calls.clear()
    with pytest.raises(StoreFailedError):
        put(store, ticks(2, first=2))
    assert files.calls == []
    assert any(record.levelname == "CRITICAL" for record in caplog.records)
    assert store.statistics(DATASET).failure
    assert sizes(store) == [0, 1]
    assert sizes(open_store())[:2] == [0, 1]


def test_t3_an_upload_whose_sync_failed_is_whole_or_absent_afterwards(
    open_store: OpenStore, files: WatchedFiles
) -> None:
    store = open_store(files=files)
    put(store, ticks(2))
    files.failing["sync 0000000001.log"] = errno.EIO
    with store.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        upload.append(ticks(3, first=2))
        future = upload.commit(batches=1, rows=3)
    with pytest.raises(StoreFailedError):
        future.result(30)
    assert sizes(open_store()) in ([0, 1], [0, 1, 2, 3, 4])


def test_t3_an_upload_that_found_no_space_leaves_nothing(
    open_store: OpenStore, files: WatchedFiles, tmp_path: Path
) -> None:
    store = open_store(files=files)
    files.failing["write"] = errno.ENOSPC
    with store.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        upload.append(ticks(3))
        future = upload.commit(batches=1, rows=3)
    with pytest.raises(DiskFullError):
        future.result(30)
    assert segments(tmp_path) == []
    files.failing.clear()
    put(store, ticks(1))
    assert sizes(store) == [0]


def test_t11_a_full_disk_is_told_and_nothing_acknowledged_is_lost(
    open_store: OpenStore, files: WatchedFiles
) -> None:
    store = open_store(files=files)
    put(store, ticks(2))
    files.failing["write"] = errno.ENOSPC
    with pytest.raises(DiskFullError):
        put(store, ticks(2, first=100))
    assert sizes(store) == [0, 1]
    files.failing.clear()
    put(store, ticks(2, first=2))
    assert sizes(store) == [0, 1, 2, 3]
    store = open_store()
    assert sizes(store) == [0, 1, 2, 3]
    assert store.recovery[0].torn_bytes == 0


def test_t11_a_log_that_could_not_be_sealed_goes_on_once_there_is_room(
    open_store: OpenStore, files: WatchedFiles
) -> None:
    """It grows until it may not any more; then nothing is taken, but not for ever."""
    limits = EngineLimits(log_bytes=1, unsealed_logs=1)
    store = open_store(files=files, limits=limits)
    files.failing["sync_directory segments"] = errno.ENOSPC
    rows = 0
    with pytest.raises(DiskFullError):  # noqa: PT012  # which of them is refused does not matter
        while True:
            put(store, ticks(1, first=rows))
            rows += 1
    files.failing.clear()
    deadline = time.monotonic() + 30
    while True:
        try:
            put(store, ticks(1, first=rows))
        except DiskFullError:
            assert time.monotonic() < deadline
            time.sleep(0.02)  # sealing is tried again each second; nobody is told
        else:
            break
    assert sizes(open_store(limits=limits)) == list(range(rows + 1))


def test_another_write_error_stops_the_dataset(open_store: OpenStore, files: WatchedFiles) -> None:
    store = open_store(files=files)
    files.failing["write"] = errno.EIO
    with pytest.raises(StoreFailedError):
        put(store, ticks(1))
    files.failing.clear()
    with pytest.raises(StoreFailedError):
        put(store, ticks(1))


def test_other_datasets_go_on_when_one_stops(open_store: OpenStore, files: WatchedFiles) -> None:
    store = open_store(files=files)
    store.create_dataset("other", stamp=VERSION_1, schema=SCHEMA)
    files.failing["sync"] = errno.EIO
    with pytest.raises(StoreFailedError):
        put(store, ticks(1))
    files.failing.clear()
    assert store.append("other", ticks(1), stamp=VERSION_1, judge=admit).result(30).rows == 1


def test_a_log_that_cannot_be_sealed_yet_keeps_its_rows(
    open_store: OpenStore, files: WatchedFiles
) -> None:
    store = open_store(files=files, limits=EngineLimits(log_bytes=1))
    files.failing["sync_directory"] = errno.EIO
    put(store, ticks(2))
    files.failing.clear()
    store = open_store()
    assert sizes(store) == [0, 1]
