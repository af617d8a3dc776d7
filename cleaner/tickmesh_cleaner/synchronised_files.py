"""Parquet files that are whole or not there, and stay once they are written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa


def write_table(table: pa.Table, path: Path) -> None:
    """Write a file under its name in one step, and synchronise it and its directory."""
    made = [each for each in (path.parent, path.parent.parent) if not each.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    for directory in made:
        _synchronise_directory(directory.parent)
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    _synchronise_directory(path.parent)


def _synchronise_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
