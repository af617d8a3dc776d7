"""Files that are whole and durable, or not there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def publish(path: Path, content: bytes | memoryview) -> None:
    """Put a file in its place, durable, in one step."""
    unfinished = path.with_name(f"{path.name}.unfinished")
    unfinished.write_bytes(content)
    synchronise(unfinished)
    unfinished.replace(path)
    synchronise(path.parent)


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
