"""A segment's writer: what it leaves open, and when its bytes go to the disk."""

from __future__ import annotations

import errno
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.ticks import SCHEMA, VERSION_1, ticks
from tests.unit.tickstore.watched_files import WatchedFiles
from tickmesh_tickstore.domain.stamps import ANONYMOUS
from tickmesh_tickstore.engine.chunk import Chunk
from tickmesh_tickstore.engine.disk.segment import SegmentWriter
from tickmesh_tickstore.engine.messages import Messages


def chunk(rows: int) -> Chunk:
    return Chunk.arrived(
        ticks(rows),
        VERSION_1,
        revision=1,
        ingest_time_ns=1,
        origin=ANONYMOUS,
        messages=Messages.of([("", (), (rows,))]),
        time_span=None,
    )


def open_files(folder: Path) -> list[str]:
    """Files below a folder that this process has open; others come and go in other threads."""
    found: list[str] = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            found.append(str(descriptor.readlink()))
    return [name for name in found if name.startswith(str(folder))]


def test_a_writer_that_ends_leaves_no_file_open(tmp_path: Path) -> None:
    files, path = WatchedFiles(), tmp_path / "rows.arrow"
    writer = SegmentWriter(path, SCHEMA, files)
    assert open_files(tmp_path) == [str(path)]
    writer.write([chunk(10)])
    assert writer.close() == path.stat().st_size
    assert files.calls == [("sync", path.name)]
    assert open_files(tmp_path) == []


class WritebackFiles(WatchedFiles):
    def __init__(self) -> None:
        super().__init__()
        self.ranges: list[tuple[int, int]] = []

    def begin_writeback(self, descriptor: int, offset: int, length: int) -> None:
        assert not self.calls, "nothing is left to write back once it is synced"
        self.ranges.append((offset, length))
        super().begin_writeback(descriptor, offset, length)


def test_a_large_segment_is_written_back_in_pieces_before_it_is_synced(tmp_path: Path) -> None:
    """Synced all at once it would stand before every log's sync for tens of milliseconds."""
    files, path = WritebackFiles(), tmp_path / "rows.arrow"
    writer = SegmentWriter(path, SCHEMA, files)
    writer.write([chunk(60_000) for _ in range(12)])
    size = writer.close()
    assert len(files.ranges) >= 3
    ends = [offset + length for offset, length in files.ranges]
    assert [offset for offset, _ in files.ranges] == [0, *ends[:-1]]
    assert max(length for _, length in files.ranges) < size / 2
    assert size - ends[-1] < size / 2


def test_a_writer_that_fails_leaves_no_file_open(tmp_path: Path) -> None:
    files = WatchedFiles()
    files.failing["sync"] = errno.EIO
    writer = SegmentWriter(tmp_path / "rows.arrow", SCHEMA, files)
    writer.write([chunk(10)])
    assert open_files(tmp_path) == [str(tmp_path / "rows.arrow")]
    with pytest.raises(OSError, match="Input/output"):
        writer.close()
    writer.abandon()
    assert open_files(tmp_path) == []
