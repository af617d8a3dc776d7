"""A model of a disk that keeps only what it was told to keep, and may keep anything else.

The rules are those of POSIX, not of one file system: what was written to a file is safe once a sync
of that file has come back; a name is safe once a sync of its directory has. Everything else may
be there or not, in any combination; a write may be there in some of its blocks only, and a file may
have grown without what was written behind its old end. Two things are taken for granted, as every
journaling file system gives them: a rename within a directory happens as a whole, and a name that
was moved is never gone from both places.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field, replace
from itertools import pairwise, product
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tests.integration.tick_engine.crash_states.recorded_calls import Call

__all__ = ["Change", "Disk", "Recorded", "crash_states"]

_SECTOR = 512
_ALL_COMBINATIONS = 5
"""Up to so many unsynced changes, every combination of them is tried."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change to a file's content, or to a directory's names.

    Attributes:
        began: When it was asked for.
        ended: When it had happened, as far as running processes see.
        owner: The number of the file or directory it changes.
        offset: Of a write.
        content: Of a write; `None` for a cut to `offset` bytes.
        size_before: The file's bytes when it was asked for.
        names: Of a directory: names and the numbers they now stand for, `None` for a removed one.
    """

    began: int
    ended: int
    owner: int
    offset: int = 0
    content: bytes | None = None
    size_before: int = 0
    names: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Sync:
    """A file or directory was synced: safe from `ended` on is what had ended when it began."""

    began: int
    ended: int
    owner: int
    kind: str


@dataclass(slots=True)
class Recorded:
    """What was recorded, in terms of numbered files and directories; number 0 is the base."""

    changes: list[Change] = field(default_factory=list)
    syncs: list[Sync] = field(default_factory=list)
    messages: list[tuple[int, bytes]] = field(default_factory=list)
    directories: set[int] = field(default_factory=lambda: {0})
    cut_after: int = -1

    @classmethod
    def of(cls, calls: Iterable[Call], *, base: Path) -> Recorded:
        """Sort calls below a directory; writes to standard output become messages."""
        return _Reading(str(base)).read(calls)

    def without(self, kind: str) -> Recorded:
        """The same, had syncs of a kind been forgotten; cut where that may make a difference."""
        forgotten = [sync for sync in self.syncs if sync.kind == kind]
        first = min(sync.began for sync in forgotten)
        return replace(
            self,
            syncs=[sync for sync in self.syncs if sync.kind != kind],
            # Before anything was promised, nothing can be lost.
            cut_after=max(first, self.messages[0][0]),
        )


def kind_of(path: PurePosixPath) -> str:
    """What syncs are told apart by: a file's place in a store, without what is made up."""
    if path.parent.name == "datasets":
        return "<dataset>/"
    if path.parent.name in {"logs", "segments", "staging"}:
        return f"{path.parent.name}/*{path.suffix}"
    return path.name if path.suffix else f"{path.name}/"


class _Reading:
    def __init__(self, base: str) -> None:
        self._base = base
        self._numbers: dict[str, int] = {base: 0}
        self._sizes: dict[int, int] = {}
        self._recorded = Recorded()

    def read(self, calls: Iterable[Call]) -> Recorded:
        for call in calls:
            if call.name == "write" and call.path == "/dev/null":
                self._recorded.messages.append((call.began, call.content))
            elif call.path.endswith("-shm"):
                continue  # SQLite's shared memory: whoever opens the database first empties it
            elif call.path.startswith(f"{self._base}/") or call.path == self._base:
                getattr(self, f"_{call.name}")(call)
        return self._recorded

    def _named(self, call: Call, directory: int, *names: tuple[str, int | None]) -> None:
        change = Change(call.began, call.ended, directory, names=names)
        self._recorded.changes.append(change)

    def _place(self, path: str) -> tuple[int, str]:
        parent, name = os.path.split(path)
        return self._numbers[parent], name

    def _open(self, call: Call) -> None:
        if call.path not in self._numbers:
            number = len(self._numbers) + len(self._recorded.changes)
            self._numbers[call.path] = number
            directory, name = self._place(call.path)
            self._named(call, directory, (name, number))
        elif "O_TRUNC" in call.flags:
            self._cut(call, 0)

    def _make_directory(self, call: Call) -> None:
        self._open(call)
        self._recorded.directories.add(self._numbers[call.path])

    def _write(self, call: Call) -> None:
        if call.path not in self._numbers:
            return  # a file that has no name any more
        number = self._numbers[call.path]
        size = self._sizes.get(number, 0)
        offset = size if call.offset < 0 else call.offset
        self._sizes[number] = max(size, offset + len(call.content))
        self._recorded.changes.append(
            Change(call.began, call.ended, number, offset, call.content, size)
        )

    def _truncate(self, call: Call) -> None:
        self._cut(call, call.offset)

    def _cut(self, call: Call, length: int) -> None:
        number = self._numbers[call.path]
        self._sizes[number] = length
        self._recorded.changes.append(Change(call.began, call.ended, number, length))

    def _sync(self, call: Call) -> None:
        if call.path in self._numbers:
            self._recorded.syncs.append(
                Sync(
                    call.began,
                    call.ended,
                    self._numbers[call.path],
                    kind_of(PurePosixPath(call.path).relative_to(self._base)),
                )
            )

    def _rename(self, call: Call) -> None:
        number = self._numbers.pop(call.path)
        self._numbers[call.target] = number
        (source, old), (target, new) = self._place(call.path), self._place(call.target)
        if source == target:
            self._named(call, source, (old, None), (new, number))
        else:
            # Two directories: the new name may be safe before the old one is gone.
            self._named(call, target, (new, number))
            self._named(call, source, (old, None))

    def _remove(self, call: Call) -> None:
        directory, name = self._place(call.path)
        del self._numbers[call.path]
        self._named(call, directory, (name, None))


class Disk:
    """Files by path as a power cut may leave them."""

    def __init__(self, files: dict[str, bytes], directories: list[str]) -> None:
        self.files = files
        self.directories = directories

    @classmethod
    def of(cls, changes: Iterable[Change], directories: set[int]) -> Disk:
        """What stands on the disk when these changes, in order, have reached it."""
        contents: dict[int, bytearray] = {}
        names: dict[int, dict[str, int]] = {}
        for change in changes:
            if change.names:
                entries = names.setdefault(change.owner, {})
                for name, number in change.names:
                    if number is None:
                        entries.pop(name, None)
                    else:
                        entries[name] = number
                continue
            content = contents.setdefault(change.owner, bytearray())
            if change.content is None:
                del content[change.offset :]
                content.extend(bytes(change.offset - len(content)))
                continue
            end = change.offset + len(change.content)
            content.extend(bytes(max(0, end - len(content))))
            content[change.offset : end] = change.content
        disk = cls({}, [])
        disk._walk(0, "", contents, names, directories)
        return disk

    def _walk(
        self,
        number: int,
        path: str,
        contents: dict[int, bytearray],
        names: dict[int, dict[str, int]],
        directories: set[int],
    ) -> None:
        for name, below in sorted(names.get(number, {}).items()):
            place = f"{path}{name}"
            if below in directories:
                self.directories.append(place)
                self._walk(below, f"{place}/", contents, names, directories)
            else:
                self.files[place] = bytes(contents.get(below, b""))

    def digest(self) -> bytes:
        """Equal for equal disks."""
        found = hashlib.sha256("\0".join(self.directories).encode())
        for path, content in self.files.items():
            found.update(f"\0{path}\0{len(content)}\0".encode())
            found.update(content)
        return found.digest()

    def write_to(self, folder: Path) -> None:
        """Put the files into an empty directory."""
        for path in self.directories:
            (folder / path).mkdir()
        for path, content in self.files.items():
            (folder / path).write_bytes(content)


def crash_states(
    recorded: Recorded, *, chance: random.Random, samples: int
) -> Iterator[tuple[int, Disk]]:
    """Disks that a power cut may leave, each with the moment up to which it was in order.

    A cut is tried just before each sync comes back, and at the end: what may be left earlier may
    be left then too, because any unsynced change may be missing. Of many unsynced changes `samples`
    random combinations are tried, beside the regular ones.
    """
    end = 1 + max(change.ended for change in recorded.changes)
    for moment in sorted({sync.ended for sync in recorded.syncs} | {end}):
        if moment <= recorded.cut_after:
            continue
        asked = [change for change in recorded.changes if change.began < moment]
        safe = _safe(asked, recorded.syncs, moment)
        pending = [place for place, is_safe in enumerate(safe) if not is_safe]
        for outcome in _outcomes([asked[place] for place in pending], chance, samples):
            kept = dict(zip(pending, outcome, strict=True))
            changes = [
                each for place, change in enumerate(asked) for each in kept.get(place, (change,))
            ]
            yield moment, Disk.of(changes, recorded.directories)


def _safe(asked: Sequence[Change], syncs: Sequence[Sync], moment: int) -> list[bool]:
    synced: dict[int, int] = {}
    for sync in syncs:
        if sync.ended < moment:
            synced[sync.owner] = max(synced.get(sync.owner, -1), sync.began)
    return [change.ended < synced.get(change.owner, -1) for change in asked]


_Outcome = list[tuple[Change, ...]]


def _outcomes(pending: Sequence[Change], chance: random.Random, samples: int) -> Iterator[_Outcome]:
    """What may have become of some unsynced changes: for each, what of it reached the disk."""
    count = len(pending)
    whole: _Outcome = [(change,) for change in pending]
    if count <= _ALL_COMBINATIONS:
        for choice in product((False, True), repeat=count):
            yield [each if keep else () for each, keep in zip(whole, choice, strict=True)]
    else:
        for length in range(count + 1):
            yield [*whole[:length], *[()] * (count - length)]
        for place in range(count):
            yield [*whole[:place], (), *whole[place + 1 :]]
            yield [*[()] * place, whole[place], *[()] * (count - place - 1)]
    for place, change in enumerate(pending):
        for torn in _torn(change, chance):
            yield [*whole[:place], torn, *whole[place + 1 :]]
            yield [*whole[:place], torn, *[()] * (count - place - 1)]
    if count > _ALL_COMBINATIONS:
        for _ in range(samples):
            share = chance.random()
            yield [_perhaps(change, share, chance) for change in pending]


def _perhaps(change: Change, share: float, chance: random.Random) -> tuple[Change, ...]:
    if chance.random() > share:
        return ()
    torn = list(_torn(change, chance))
    return chance.choice(torn) if torn and chance.random() < 0.2 else (change,)


def _torn(change: Change, chance: random.Random) -> Iterator[tuple[Change, ...]]:
    """Parts of a write: its first, its last, any of its sectors; the file's new size alone."""
    if not change.content:
        return
    end = change.offset + len(change.content)
    first_edge = change.offset - change.offset % _SECTOR + _SECTOR
    edges = [change.offset, *range(first_edge, end, _SECTOR), end]
    pieces = [_part(change, *edge) for edge in pairwise(edges)]
    if len(pieces) > 1:
        yield (pieces[0],)
        yield (*pieces[:-1],)
        yield (*pieces[1:],)
        yield tuple(piece for piece in pieces if chance.random() < 0.5)
    if end > change.size_before:
        yield (replace(change, offset=end, content=None),)


def _part(change: Change, start: int, stop: int) -> Change:
    assert change.content is not None
    content = change.content[start - change.offset : stop - change.offset]
    return replace(change, offset=start, content=content)
