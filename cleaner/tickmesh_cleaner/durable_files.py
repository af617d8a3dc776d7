"""Files that are whole and durable, or not there."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedWriter
    from pathlib import Path

    import pyarrow as pa


@contextmanager
def publishing(path: Path) -> Iterator[BufferedWriter]:
    """A file to write, which takes its place, durable, in one step when the block ends.

    What a crash leaves of it has a name that ends in `.unfinished`.
    """
    make_directories(path.parent)
    unfinished = path.with_name(f"{path.name}.unfinished")
    with unfinished.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    synchronise(path.parent)


def publish(path: Path, content: bytes | memoryview) -> None:
    """Put a file in its place, durable, in one step."""
    with publishing(path) as file:
        file.write(content)


def publish_table(path: Path, table: pa.Table) -> None:
    """Put a Parquet file in its place, durable, in one step."""
    with publishing(path) as file:
        pq.write_table(table, file, compression="zstd")


def synchronise(path: Path) -> None:
    """Make a file's content, or a directory's names, durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def make_directories(directory: Path) -> None:
    """Make a directory and those above it, their names durable."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        synchronise(path.parent)
