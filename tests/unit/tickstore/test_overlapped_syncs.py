"""The next group is judged and written while one is synced: order, failure and numbering hold."""

from __future__ import annotations

import errno
import os
import threading
from typing import TYPE_CHECKING

import pytest

from tests.support.ticks import DATASET, VERSION_1, admit, put, sizes, ticks
from tests.unit.tickstore.watched_files import WatchedFiles
from tickmesh_tickstore.domain.errors import DiskFullError, StoreFailedError
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.producers import ProducerSequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tests.unit.tickstore.conftest import OpenStore
    from tickmesh_tickstore.engine import AppendFuture, DiskEngine, Judge

_ONE_MESSAGE_A_GROUP = EngineLimits(group_rows=1, overlapped_bytes=1)


class HeldSync(WatchedFiles):
    """Holds the next sync of a log until it is told how it ends."""

    def __init__(self) -> None:
        super().__init__()
        self._armed = threading.Event()
        self._release = threading.Event()
        self._code = 0
        self.began = threading.Event()

    def hold(self) -> None:
        self.began.clear()
        self._release.clear()
        self._armed.set()

    def release(self, *, code: int = 0) -> None:
        self._code = code
        self._release.set()

    def sync(self, descriptor: int) -> None:
        if self._armed.is_set():
            self._armed.clear()
            self.began.set()
            assert self._release.wait(30)
            if self._code:
                raise OSError(self._code, os.strerror(self._code))
        super().sync(descriptor)


@pytest.fixture
def files() -> Iterator[HeldSync]:
    files = HeldSync()
    yield files
    files.release()


class HeldJudge:
    """Lets rows in once released."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.release = threading.Event()

    def __call__(self, batch: pa.RecordBatch) -> object | None:
        self.entered.set()
        assert self.release.wait(30)
        return None


def append_while_synced(
    store: DiskEngine, files: HeldSync, *messages: pa.RecordBatch, behind: Judge = admit
) -> list[AppendFuture]:
    """Some messages, of which the first is being synced and the others are judged `behind` it."""
    held = HeldJudge()
    files.hold()
    futures = [store.append(DATASET, messages[0], stamp=VERSION_1, judge=held)]
    assert held.entered.wait(30)
    # They wait when the first one is written, so that its sync is handed to another thread.
    futures += [
        store.append(DATASET, message, stamp=VERSION_1, judge=behind) for message in messages[1:]
    ]
    held.release.set()
    assert files.began.wait(30)
    return futures


def test_t2_what_was_written_meanwhile_is_not_acknowledged_before_its_own_sync(
    open_store: OpenStore, files: HeldSync
) -> None:
    store = open_store(files=files, limits=_ONE_MESSAGE_A_GROUP)
    futures = append_while_synced(store, files, ticks(1), ticks(1, first=1), ticks(1, first=2))
    # The second is judged and written while the first is synced.
    second = futures[1].received(30)
    assert second.dataset_revision == 2
    assert not any(future.done() for future in futures)
    assert sizes(store) == []
    syncs = files.calls.count(("sync", "0000000001.log"))
    files.release()
    assert [future.result(30).dataset_revision for future in futures] == [1, 2, 3]
    assert files.calls.count(("sync", "0000000001.log")) >= syncs + 2
    assert sizes(store) == [0, 1, 2]
    assert sizes(open_store()) == [0, 1, 2]


def test_t2_a_failed_sync_fails_whatever_was_written_behind_it(
    open_store: OpenStore, files: HeldSync
) -> None:
    store = open_store(files=files, limits=_ONE_MESSAGE_A_GROUP)
    put(store, ticks(1))
    futures = append_while_synced(store, files, ticks(1, first=1), ticks(1, first=2), ticks(1))
    futures[1].received(30)
    files.release(code=errno.EIO)
    errors = []
    for future in futures:
        with pytest.raises(StoreFailedError) as caught:
            future.result(30)
        errors.append(caught.value)
    assert len({id(error) for error in errors}) == len(errors), "each is told with its own object"
    with pytest.raises(StoreFailedError):
        put(store, ticks(1))
    assert sizes(store) == [0]


def test_t11_a_full_disk_refuses_the_next_group_and_not_the_one_being_synced(
    open_store: OpenStore, files: HeldSync
) -> None:
    store = open_store(files=files, limits=_ONE_MESSAGE_A_GROUP)
    held = HeldJudge()
    first, second = append_while_synced(store, files, ticks(1), ticks(1, first=1), behind=held)
    assert held.entered.wait(30)
    files.failing["write"] = errno.ENOSPC
    held.release.set()
    with pytest.raises(DiskFullError):
        second.result(30)
    files.failing.clear()
    assert not first.done()
    files.release()
    assert first.result(30).dataset_revision == 1
    assert put(store, ticks(1, first=2)).dataset_revision == 2
    assert sizes(store) == [0, 2]
    assert sizes(open_store()) == [0, 2]


def test_t4_sequences_of_a_group_that_is_synced_count_for_the_next(
    open_store: OpenStore, files: HeldSync
) -> None:
    store = open_store(files=files, limits=_ONE_MESSAGE_A_GROUP)
    epoch = store.open_producer(DATASET, "feed").epoch
    held = HeldJudge()
    files.hold()
    futures = [
        store.append(
            DATASET,
            ticks(1, first=sequence),
            stamp=VERSION_1,
            judge=held,
            producer=ProducerSequence("feed", epoch, sequence),
        )
        for sequence in (1, 2, 1)
    ]
    assert held.entered.wait(30)
    held.release.set()
    assert files.began.wait(30)
    futures[1].received(30)
    files.release()
    answers = [future.result(30) for future in futures]
    assert [answer.duplicate for answer in answers] == [False, False, True]
    assert answers[2].dataset_revision == answers[0].dataset_revision
    assert sizes(store) == [1, 2]
    assert store.open_producer(DATASET, "feed").last_sequence == 2


def test_t2_a_log_is_closed_only_when_all_of_it_is_synced(
    open_store: OpenStore, files: HeldSync
) -> None:
    store = open_store(
        files=files, limits=EngineLimits(group_rows=1, overlapped_bytes=1, log_bytes=2_000)
    )
    futures = [
        store.append(DATASET, ticks(20, first=20 * number), stamp=VERSION_1, judge=admit)
        for number in range(50)
    ]
    assert [future.result(30).dataset_revision for future in futures] == list(range(1, 51))
    store.flush(DATASET, timeout_seconds=30)
    for log in {name for call, name in files.calls if call == "write" and name.endswith(".log")}:
        last_write = max(place for place, each in enumerate(files.calls) if each == ("write", log))
        assert ("sync", log) in files.calls[last_write:]
    assert sizes(store) == list(range(1_000))
    assert sizes(open_store()) == list(range(1_000))
