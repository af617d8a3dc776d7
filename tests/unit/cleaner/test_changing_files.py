"""A file that changes while it is read stops its job; one that only looks so does not."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING

import pytest

from tickmesh_cleaner.domain.errors import SourceChangedError, SourceNotFoundError
from tickmesh_cleaner.sources.file import FileRecords
from tickmesh_cleaner.sources.layout import spec_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RECORDS, BATCH = 12, 4
CONTENT = b"ts,price\n" + b"".join(b"%d,1.5\n" % number for number in range(RECORDS))


def records(path: Path) -> FileRecords:
    spec = spec_of("", path=path, file_name=path.name)
    first = FileRecords(path, spec=spec, name=path.name, file_name=path.name)
    return FileRecords(
        path, spec=spec, name=path.name, file_name=path.name, identity=first.identify()
    )


def append(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"99,1.5\n")


def cut(path: Path) -> None:
    os.truncate(path, len(CONTENT) // 2)


def overwrite(path: Path) -> None:
    before = path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == before:  # the clock of a file system ticks
        path.write_bytes(CONTENT.replace(b"1.5", b"2.5"))


def replace_by_another(path: Path) -> None:
    other = path.with_name("other.csv")
    other.write_bytes(CONTENT.replace(b"1.5", b"2.5"))
    other.replace(path)


def touch(path: Path) -> None:
    os.utime(path, (1, 1))


def replace_by_the_same(path: Path) -> None:
    other = path.with_name("other.csv")
    other.write_bytes(path.read_bytes())
    other.replace(path)


@pytest.mark.parametrize("change", [append, cut, overwrite, replace_by_another])
def test_a_change_is_noticed_before_another_batch_is_judged(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "trades.csv"
    path.write_bytes(CONTENT)
    batches = records(path).read(start=None, end=None, batch_records=BATCH)
    assert next(batches).decoded.record_count == BATCH
    change(path)
    with pytest.raises(SourceChangedError):
        next(batches)


@pytest.mark.parametrize("change", [touch, replace_by_the_same])
def test_the_same_content_is_the_same_file(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path = tmp_path / "trades.csv"
    path.write_bytes(CONTENT)
    batches = records(path).read(start=None, end=None, batch_records=BATCH)
    read = next(batches).decoded.record_count
    change(path)
    assert read + sum(batch.decoded.record_count for batch in batches) == RECORDS


def test_a_packed_file_that_is_damaged_meanwhile_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv.gz"
    path.write_bytes(gzip.compress(CONTENT))
    batches = records(path).read(start=None, end=None, batch_records=BATCH)
    next(batches)
    path.write_bytes(gzip.compress(CONTENT)[:-4])
    with pytest.raises(SourceChangedError):
        next(batches)


def test_a_file_that_is_removed_meanwhile_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    path.write_bytes(CONTENT)
    batches = records(path).read(start=None, end=None, batch_records=BATCH)
    next(batches)
    path.unlink()
    with pytest.raises(SourceNotFoundError, match=r"trades\.csv"):
        next(batches)
