"""A file system seam that notes and breaks calls."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tickmesh_tickstore.engine.disk.filesystem import PosixFileSystem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class WatchedFiles(PosixFileSystem):
    """The real file system, which notes what is called and fails when told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.failing: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def _note(self, call: str, name: str) -> None:
        self.calls.append((call, name))
        code = self.failing.get(call) or self.failing.get(f"{call} {name}")
        if code is not None:
            raise OSError(code, os.strerror(code))

    def create(self, path: Path) -> int:
        self._note("create", path.name)
        descriptor = super().create(path)
        self._names[descriptor] = path.name
        return descriptor

    def open(self, path: Path) -> int:
        descriptor = super().open(path)
        self._names[descriptor] = path.name
        return descriptor

    def write(self, descriptor: int, buffers: Sequence[memoryview], offset: int) -> None:
        self._note("write", self._names[descriptor])
        super().write(descriptor, buffers, offset)

    def sync(self, descriptor: int) -> None:
        self._note("sync", self._names[descriptor])
        super().sync(descriptor)

    def sync_directory(self, path: Path) -> None:
        self._note("sync_directory", path.name)
        super().sync_directory(path)

    def rename(self, source: Path, target: Path) -> None:
        self._note("rename", target.name)
        super().rename(source, target)

    def remove(self, path: Path) -> None:
        self._note("remove", path.name)
        super().remove(path)
