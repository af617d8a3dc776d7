"""The few file system calls durability rests on, in one place: tests watch and break them."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["FileSystem", "PosixFileSystem", "make_directory"]

_MOST_BUFFERS = 1024
# sync_file_range(2) of Linux, which Python does not offer.
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)
_SYNC_FILE_RANGE_WRITE = 2


class FileSystem(Protocol):
    """What the disk engine asks of a file system. Every method raises `OSError`."""

    def create(self, path: Path) -> int:
        """Create a file that does not exist and open it for reading and writing."""
        ...

    def open(self, path: Path) -> int:
        """Open a file for reading and writing."""
        ...

    def close(self, descriptor: int) -> None:
        """Close a file."""
        ...

    def write(self, descriptor: int, buffers: Sequence[memoryview], offset: int) -> None:
        """Write all buffers one behind the other from `offset` on."""
        ...

    def sync(self, descriptor: int) -> None:
        """Bring a file's content onto stable storage."""
        ...

    def begin_writeback(self, descriptor: int, offset: int, length: int) -> None:
        """Let the kernel begin to write pages, so that a later `sync` has less to write at once.

        Promises nothing, waits for nothing and raises nothing.
        """
        ...

    def sync_directory(self, path: Path) -> None:
        """Bring a directory's entries onto stable storage."""
        ...

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut a file."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Move a file within a file system, atomically."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file."""
        ...


class PosixFileSystem:
    """The operating system's."""

    def create(self, path: Path) -> int:
        """See `FileSystem.create`."""
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)

    def open(self, path: Path) -> int:
        """See `FileSystem.open`."""
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def close(self, descriptor: int) -> None:
        """See `FileSystem.close`."""
        os.close(descriptor)

    def write(self, descriptor: int, buffers: Sequence[memoryview], offset: int) -> None:
        """See `FileSystem.write`."""
        left = list(buffers)
        while left:
            written = os.pwritev(descriptor, left[:_MOST_BUFFERS], offset)
            offset += written
            while left and written >= len(left[0]):
                written -= len(left[0])
                left.pop(0)
            if written:
                left[0] = left[0][written:]

    def sync(self, descriptor: int) -> None:
        """See `FileSystem.sync`."""
        os.fdatasync(descriptor)

    def begin_writeback(self, descriptor: int, offset: int, length: int) -> None:
        """See `FileSystem.begin_writeback`."""
        if _sync_file_range is not None:
            _sync_file_range(
                descriptor,
                ctypes.c_int64(offset),
                ctypes.c_int64(length),
                _SYNC_FILE_RANGE_WRITE,
            )

    def sync_directory(self, path: Path) -> None:
        """See `FileSystem.sync_directory`."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def truncate(self, descriptor: int, length: int) -> None:
        """See `FileSystem.truncate`."""
        os.ftruncate(descriptor, length)

    def rename(self, source: Path, target: Path) -> None:
        """See `FileSystem.rename`."""
        source.rename(target)

    def remove(self, path: Path) -> None:
        """See `FileSystem.remove`."""
        path.unlink(missing_ok=True)


def make_directory(path: Path, files: FileSystem) -> None:
    """Create a directory and those it lies in, durably; it may be there already.

    Raises:
        OSError: It cannot be made or synced.
    """
    created = [each for each in path.parents if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    # Its own name each time: a process that made it may have been killed before it was synced.
    for each in (path, *created):
        files.sync_directory(each.parent)
