"""One file that has, or had, the followed name; it stays readable whatever it is renamed to."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from typing import TYPE_CHECKING

from tickmesh.decoding.compression import chunks, detect_compression
from tickmesh.decoding.source_spec import Compression
from tickmesh_cleaner.sources.followed.place import HEAD_BYTES, FileMark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_CHUNK_BYTES = 1 << 20
_MAGIC_BYTES = 4


class Generation:
    """An open file. Rotated ones may have been packed since."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            OSError: It is not there, or no regular file.
        """
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        found = os.fstat(self._handle)
        if not stat.S_ISREG(found.st_mode):
            self.close()
            raise FileNotFoundError(path)
        self.key = (found.st_dev, found.st_ino)
        magic = os.pread(self._handle, _MAGIC_BYTES, 0)
        self.is_packed = detect_compression(magic) is not Compression.NONE

    @property
    def size_bytes(self) -> int:
        """Its size now."""
        return os.fstat(self._handle).st_size

    @property
    def last_changed_ns(self) -> tuple[int, int]:
        """When it was last written to, and when it last got another name or other bytes."""
        found = os.fstat(self._handle)
        return found.st_mtime_ns, found.st_ctime_ns

    def mark(self, *, upto: int) -> FileMark:
        """What it is known by, from its bytes before an offset."""
        head = self._head(min(upto, HEAD_BYTES))
        return FileMark(*self.key, len(head), _digest(head))

    def begins_as(self, mark: FileMark) -> bool:
        """Whether it begins with the bytes that a mark was taken from."""
        head = self._head(mark.head_bytes)
        return len(head) == mark.head_bytes and _digest(head) == mark.head_digest

    def is_file(self, mark: FileMark) -> bool:
        """Whether it is the very file a mark was taken from."""
        return self.key == (mark.device, mark.inode) and self.begins_as(mark)

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from an offset on, fewer at the end. Not of a packed file."""
        return os.pread(self._handle, length, offset)

    def content(self, offset: int) -> Iterator[bytes]:
        """The unpacked bytes from an offset on.

        Raises:
            DecodeError: It is packed, and damaged.
        """
        if self.is_packed:
            with io.FileIO(os.dup(self._handle)) as file:
                file.seek(0)
                yield from chunks(file, Compression.AUTO, skip_bytes=offset)
            return
        while chunk := self.read(offset, _CHUNK_BYTES):
            offset += len(chunk)
            yield chunk

    def close(self) -> None:
        """Let go of the file."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _head(self, length: int) -> bytes:
        if not self.is_packed:
            return self.read(0, length)
        head = b""
        for chunk in self.content(0):
            head += chunk
            if len(head) >= length:
                break
        return head[:length]


def _digest(head: bytes) -> str:
    return hashlib.sha256(head).hexdigest()[:32]
