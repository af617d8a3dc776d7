"""T2 durable and T10 recovering: what is left after the store ends in any way."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.support.ticks import (
    DATASET,
    SCHEMA,
    VERSION_1,
    VERSION_2,
    admit,
    decoded,
    put,
    sizes,
    ticks,
)
from tests.unit.tickstore.conftest import OpenStore, logs, segments
from tests.unit.tickstore.watched_files import WatchedFiles
from tickmesh_tickstore.domain.errors import (
    DatasetAlreadyExistsError,
    DatasetDamagedError,
    StoreFailedError,
)
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.producers import ProducerSequence
from tickmesh_tickstore.domain.requests import ScanRequest, StampColumn
from tickmesh_tickstore.engine import DiskEngine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SEALING = EngineLimits(log_bytes=1)


@pytest.mark.parametrize("limits", [EngineLimits(), SEALING, EngineLimits(log_bytes=4000)])
def test_t10_everything_is_as_it_was(open_store: OpenStore, limits: EngineLimits) -> None:
    store = open_store(limits=limits)
    epoch = store.open_producer(DATASET, "feed").epoch
    for number in range(20):
        put(
            store,
            ticks(3, first=3 * number, symbols=(f"S{number}", "T")),
            producer=ProducerSequence("feed", epoch, number + 1),
        )
    with store.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
        upload.append(ticks(2, first=60))
        upload.append(ticks(2, first=62))
        upload.commit(batches=2, rows=4).result(30)
    store.add_version(DATASET, stamp=VERSION_2, schema=SCHEMA.remove(2))
    put(store, ticks(2, first=64).drop_columns(["price"]), stamp=VERSION_2)
    read = ScanRequest(dataset=DATASET, stamps=tuple(StampColumn))
    before, info = store.scan(read).read_all(), store.dataset(DATASET)

    for _ in range(2):
        store = open_store(limits=limits)
        assert store.dataset(DATASET) == info
        after = store.scan(read).read_all()
        assert decoded(after).equals(decoded(before))
        assert store.recovery[0].torn_bytes == 0
        again = put(store, ticks(3), producer=ProducerSequence("feed", epoch, 20))
        assert (again.duplicate, again.dataset_revision) == (True, 21)
    assert store.open_producer(DATASET, "feed").last_sequence == 20
    put(store, ticks(1, first=66).drop_columns(["price"]), stamp=VERSION_2)
    assert sizes(open_store(limits=limits)) == list(range(67))


def test_t10_full_logs_become_segments_and_leave(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store(limits=SEALING)
    for number in range(12):
        put(store, ticks(5, first=5 * number))
    store.flush(DATASET, timeout_seconds=30)
    statistics = store.statistics(DATASET)
    assert statistics.segments == len(segments(tmp_path)) > 0
    assert (statistics.unsealed_rows, statistics.rows) == (0, 60)
    assert len(logs(tmp_path)) == 1
    assert sizes(store) == list(range(60))


def test_t10_a_torn_tail_is_cut_wherever_it_tore(open_store: OpenStore, tmp_path: Path) -> None:
    """Truncate the log at many offsets within its last three frames."""
    store = open_store()
    ends = [0]
    for number in range(6):
        put(store, ticks(4, first=4 * number))
        ends.append(store.statistics(DATASET).log_bytes)
    store.close()
    pristine = tmp_path / "pristine"
    shutil.copytree(tmp_path / "store", pristine)
    offsets = sorted(
        {*range(ends[3], ends[6] + 1, 101), *ends[3:], *(end + 1 for end in ends[3:6])}
    )
    for offset in offsets:
        shutil.rmtree(tmp_path / "store")
        shutil.copytree(pristine, tmp_path / "store")
        (log,) = logs(tmp_path)
        with log.open("r+b") as file:
            file.truncate(offset)
        store = open_store()
        whole = sum(end <= offset for end in ends[1:])
        assert sizes(store) == list(range(4 * whole)), offset
        assert store.recovery[0].torn_bytes == offset - ends[whole], offset
        put(store, ticks(1, first=4 * whole))
        assert sizes(open_store()) == list(range(4 * whole + 1)), offset
        store.close()


@pytest.mark.parametrize("position", [0.1, 0.5, 0.9])
def test_t10_a_scribbled_last_frame_is_cut(
    open_store: OpenStore, tmp_path: Path, position: float
) -> None:
    store = open_store()
    put(store, ticks(3))
    begin = store.statistics(DATASET).log_bytes
    put(store, ticks(3, first=3))
    end = store.statistics(DATASET).log_bytes
    store.close()
    flip(logs(tmp_path)[0], begin + int((end - begin) * position))
    store = open_store()
    assert sizes(store) == [0, 1, 2]
    assert store.recovery[0].torn_bytes > 0
    put(store, ticks(1, first=3))
    assert sizes(open_store()) == [0, 1, 2, 3]


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x55
    path.write_bytes(content)


def test_t2_damage_to_an_acknowledged_row_is_never_taken_for_a_torn_tail(
    open_store: OpenStore, tmp_path: Path
) -> None:
    store = open_store()
    for number in range(4):
        put(store, ticks(3, first=3 * number))
    store.close()
    (log,) = logs(tmp_path)
    intact = log.read_bytes()
    flip(log, len(intact) // 2)
    damaged = log.read_bytes()
    assert_refused(open_store())
    assert log.read_bytes() == damaged
    log.write_bytes(intact)
    assert sizes(open_store()) == list(range(12))


def test_t2_a_missing_log_is_never_passed_over(open_store: OpenStore, tmp_path: Path) -> None:
    files = WatchedFiles()
    files.failing["sync_directory segments"] = errno.EIO
    store = open_store(files=files, limits=EngineLimits(log_bytes=1, unsealed_logs=100))
    for number in range(5):
        put(store, ticks(3, first=3 * number))
    store.close()
    oldest, *others = logs(tmp_path)
    assert len(others) >= 4
    oldest.unlink()
    assert_refused(open_store())


@pytest.mark.parametrize("harm", ["missing", "short"])
def test_t2_a_harmed_segment_is_never_passed_over(
    open_store: OpenStore, tmp_path: Path, harm: str
) -> None:
    store = open_store(limits=SEALING)
    put(store, ticks(5))
    store.flush(DATASET, timeout_seconds=30)
    store.close()
    (segment,) = segments(tmp_path)
    intact = segment.read_bytes()
    segment.unlink()
    if harm == "short":
        segment.write_bytes(intact[:-1])
    assert_refused(open_store())
    segment.write_bytes(intact)
    assert sizes(open_store()) == list(range(5))


def assert_refused(store: DiskEngine) -> None:
    """The dataset says that it is damaged, to readers and writers alike, and is still shown."""
    attempts: list[Callable[[], object]] = [
        lambda: store.scan(ScanRequest(dataset=DATASET)),
        lambda: store.plan(ScanRequest(dataset=DATASET)),
        lambda: store.follow(DATASET),
        lambda: put(store, ticks(1)),
        lambda: store.open_producer(DATASET, "feed"),
        lambda: store.begin_upload(DATASET, stamp=VERSION_1, judge=admit),
        lambda: store.add_version(DATASET, stamp=VERSION_2, schema=SCHEMA),
        lambda: store.flush(DATASET, timeout_seconds=1),
    ]
    for attempt in attempts:
        with pytest.raises(DatasetDamagedError, match="restore"):
            attempt()
    with pytest.raises(DatasetAlreadyExistsError):
        store.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    (info,) = store.datasets()
    assert store.dataset(DATASET) == info
    assert info.damage
    assert info.damage == store.recovery[0].damage
    told = store.statistics(DATASET)
    assert told.failure.startswith(info.damage)
    assert f"the {told.rows} rows that the manifest records" in told.failure


def test_a_damaged_dataset_leaves_the_others_serving(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store()
    for number in range(4):
        put(store, ticks(3, first=3 * number))
    (log,) = logs(tmp_path)
    store.create_dataset("ticks.other", stamp=VERSION_1, schema=SCHEMA)
    rows = ticks(5)
    store.append("ticks.other", rows, stamp=VERSION_1, judge=admit).result(30)
    store.close()
    flip(log, log.stat().st_size // 2)
    store = open_store()
    with pytest.raises(DatasetDamagedError):
        sizes(store)
    other = ScanRequest(dataset="ticks.other")
    assert sizes(store, other) == [0, 1, 2, 3, 4]
    store.append("ticks.other", rows, stamp=VERSION_1, judge=admit).result(30)
    assert len(sizes(open_store(), other)) == 10


def test_t10_files_no_commit_refers_to_are_removed(open_store: OpenStore, tmp_path: Path) -> None:
    store = open_store()
    put(store, ticks(3))
    directory = next((tmp_path / "store" / "datasets").iterdir())
    (directory / "segments" / "upload-left.arrow").write_bytes(b"left behind")
    (directory / "staging" / "left.arrow").write_bytes(b"left behind")
    store = open_store()
    assert store.recovery[0].removed_files == 2
    assert list((directory / "staging").iterdir()) == []
    assert segments(tmp_path) == []
    assert sizes(store) == [0, 1, 2]


def test_t2_rows_of_a_lost_manifest_are_never_taken_for_rubbish(
    open_store: OpenStore, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store()
    put(store, ticks(3))
    store.close()
    manifest = tmp_path / "store" / "manifest.sqlite"
    manifest.rename(tmp_path / "kept")
    open_store().close()
    assert "restore the manifest" in caplog.text
    (tmp_path / "kept").rename(manifest)
    assert sizes(open_store()) == [0, 1, 2]


def test_logs_are_written_over_sealed_ones(open_store: OpenStore, tmp_path: Path) -> None:
    """What an older log left behind the new frames is never read back, however it looks."""
    limits = EngineLimits(log_bytes=20_000)
    store = open_store(limits=limits)
    total = 0
    for _ in range(3):
        put(store, ticks(900, first=total))
        total += 900
        store.flush(DATASET, timeout_seconds=30)
    assert any((tmp_path / "store").glob("datasets/*/logs/*.spare"))
    for rows in (1, 5, 2, 30, 3, 7):
        put(store, ticks(rows, first=total))
        total += rows
        (log,) = logs(tmp_path)
        assert log.stat().st_size > store.statistics(DATASET).log_bytes + 8
        store = open_store(limits=limits)
        assert store.recovery[0].torn_bytes == 0
        assert sizes(store) == list(range(total))


def test_one_process_holds_a_store(open_store: OpenStore, tmp_path: Path) -> None:
    open_store()
    with pytest.raises(StoreFailedError, match="another process"):
        DiskEngine(tmp_path / "store")


def test_a_store_of_another_format_is_refused_and_left_as_it_is(
    open_store: OpenStore, tmp_path: Path
) -> None:
    """Older or newer code would take frames it cannot read for torn ones, and cut them."""
    store = open_store()
    put(store, ticks(3))
    store.close()
    manifest = tmp_path / "store" / "manifest.sqlite"
    _set_format(manifest, "format - 1")
    (log,) = logs(tmp_path)
    content = log.read_bytes()
    with pytest.raises(StoreFailedError, match="format"):
        DiskEngine(tmp_path / "store")
    assert log.read_bytes() == content
    _set_format(manifest, "format + 1")
    assert sizes(open_store()) == [0, 1, 2]


def _set_format(manifest: Path, expression: str) -> None:
    with closing(sqlite3.connect(manifest)) as connection, connection:
        connection.execute(f"UPDATE store SET format = {expression}")
