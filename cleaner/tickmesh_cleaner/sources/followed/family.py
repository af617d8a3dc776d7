"""The files that have or had the followed name, wherever rotations took them."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tickmesh.decoding.decoded import DecodeError
from tickmesh_cleaner.domain.errors import SourceNotFoundError
from tickmesh_cleaner.sources.followed.generation import Generation
from tickmesh_cleaner.sources.followed.place import HEAD_BYTES, Place, awaited_since

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh_cleaner.sources.followed.place import FileMark
    from tickmesh_cleaner.sources.roots import SourceRoots

_ENTRIES_LOOKED_AT = 10_000
_COARSE_NS = 20_000_000
"""How far the clock of file systems may lag behind."""

_ROTATED = r"[-._]?\d[-._:T\dZ+]*"
_PACKED = r"(?:[.](?:gz|zst))?"


class Present(NamedTuple):
    """The file that has the followed name: device and inode, and its size."""

    key: tuple[int, int]
    size_bytes: int


class FileFamily:
    """Finds the files of one name below the source roots."""

    def __init__(self, path: str, *, roots: SourceRoots) -> None:
        """Name the file, which may not exist yet."""
        self._path = path
        self._roots = roots
        self.name = Path(path).name
        stem, dot, ending = self.name.rpartition(".")
        self._stem = stem or self.name
        # live.log.1, live.log-20240102.gz, and live.1.log as some write it.
        behind = f"{re.escape(self.name)}{_ROTATED}{_PACKED}"
        within = f"{re.escape(stem)}{_ROTATED}{re.escape(dot + ending)}{_PACKED}"
        self._rotated = re.compile(f"{behind}|{within}" if stem else behind)

    def look(self) -> Present | None:
        """What has the name now; None while nothing has."""
        path = self._roots.resolve_awaited(self._path)
        found = _stat(path) if path else None
        return Present((found.st_dev, found.st_ino), found.st_size) if found else None

    def open_present(self) -> Generation | None:
        """The file that has the name now; None while there is none.

        Raises:
            SourceNotFoundError: The name stands for something else, or leads out of the roots.
        """
        path = self._roots.resolve_awaited(self._path)
        try:
            return Generation(path) if path else None
        except FileNotFoundError:
            return None

    def open_first(self, beginning: str) -> Generation | None:
        """The file that a job begins with, by the token of its beginning; None while none is there.

        One that came and was rotated away before anybody looked is found beside the present one.
        """
        since_ns = awaited_since(beginning)
        if since_ns is None:
            return self.find(Place.parse(beginning))
        for _, path in sorted(self._rotated_after((since_ns - _COARSE_NS, 0))):
            found = _open(path)
            if found is not None:
                return found
        return self.open_present()

    def find(self, place: Place) -> Generation | None:
        """The file of a place, whatever its name is now; a copy of it if it is gone itself."""
        mark = place.mark
        present = self.open_present()
        if present is not None:
            if present.is_file(mark):
                return present
            present.close()
        for path in self._others():
            stat = _stat(path)
            same = stat is not None and (stat.st_dev, stat.st_ino) == (mark.device, mark.inode)
            if same and (found := _open(path)):
                if found.is_file(mark):
                    return found
                found.close()
        return self.find_copy(place)

    def find_copy(self, place: Place) -> Generation | None:
        """Another file with what stood before a place: copied, or packed, by a rotation."""
        if not place.tells_apart:
            return None
        for path in self._others():
            related = path.name.startswith(self._stem)
            if related and (found := _open(path)):
                reaches = found.is_packed or found.size_bytes >= place.position.offset
                if reaches and _begins_as(found, place.mark):
                    return found
                found.close()
        return None

    def successor(self, generation: Generation) -> Generation | None:
        """The file that came to have the name after this one had it; None while there is none."""
        mark = generation.mark(upto=HEAD_BYTES)
        for _, path in sorted(self._rotated_after(generation.last_changed_ns)):
            opened = _open(path)
            if opened is not None:
                # A packed or copied form of the very file is none that came later.
                if opened.key != generation.key and not _begins_as(opened, mark):
                    return opened
                opened.close()
        return self.open_present()

    def has_later(self, generation: Generation) -> bool:
        """Whether another file had the name after this one, and was rotated away too."""
        return any(self._rotated_after(generation.last_changed_ns))

    def _rotated_after(self, changed_ns: tuple[int, int]) -> Iterator[tuple[tuple[int, int], Path]]:
        """Files that had the name and changed last after another one, with when they did."""
        present = self.look()
        for path in self._others():
            found = _stat(path) if self._rotated.fullmatch(path.name) else None
            if found is None or (present and (found.st_dev, found.st_ino) == present.key):
                continue
            # Within one tick of the clock, a copy is older than what was renamed after it.
            changed = (found.st_mtime_ns, found.st_ctime_ns)
            if changed > changed_ns:
                yield changed, path

    def _others(self) -> Iterator[Path]:
        """The files beside the followed one, within the roots."""
        directory = Path(self._path).parent
        try:
            with os.scandir(directory) as entries:
                names = [entry.name for entry in islice(entries, _ENTRIES_LOOKED_AT)]
        except OSError:
            return
        for name in sorted(names):
            if name != self.name:
                try:
                    yield self._roots.resolve(str(directory / name))
                except SourceNotFoundError:
                    continue


def _open(path: Path) -> Generation | None:
    try:
        return Generation(path)
    except OSError:
        return None


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _begins_as(generation: Generation, mark: FileMark) -> bool:
    try:
        return generation.begins_as(mark)
    except DecodeError:
        return False
