"""The newest revisions, encoded once for everybody who watches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .domain.changes import Change, Revision

_TRIM_AT = 1_024


class ChangeEncoder(Protocol):
    """Turns a change into the bytes that are sent."""

    def __call__(self, change: Change, *, include_previous: bool) -> bytes:
        """Encode the change, with or without the version before it."""


class EncodedChange:
    """A change and its encodings, each made once."""

    __slots__ = ("_encode", "_full", "change", "plain")

    def __init__(self, change: Change, encode: ChangeEncoder) -> None:
        self.change = change
        self.plain = encode(change, include_previous=False)
        self._encode = encode
        self._full: bytes | None = self.plain if change.previous is None else None

    def encoded(self, *, include_previous: bool) -> bytes:
        """The bytes of the change."""
        if not include_previous:
            return self.plain
        if self._full is None:
            self._full = self._encode(self.change, include_previous=True)
        return self._full


class EncodedRevision:
    """All changes of one revision."""

    __slots__ = ("changes", "revision", "size")

    def __init__(self, revision: Revision, encode: ChangeEncoder) -> None:
        self.revision = revision.revision
        self.changes = tuple(EncodedChange(change, encode) for change in revision.changes)
        self.size = sum(len(change.plain) for change in self.changes)


class Ring:
    """The revisions in (floor, head], bounded by number and bytes; watchers hold cursors into it.

    Args:
        max_revisions: At most so many revisions are kept.
        max_bytes: At most so many encoded bytes are kept, but always the newest revision.
    """

    def __init__(self, *, max_revisions: int, max_bytes: int) -> None:
        self._max_revisions = max_revisions
        self._max_bytes = max_bytes
        self._entries: list[EncodedRevision] = []
        self._first = 0  # entries before it are trimmed, and removed now and then
        self._bytes = 0
        self.floor = 0
        self.head = 0

    @property
    def size_bytes(self) -> int:
        """Encoded bytes held."""
        return self._bytes

    def reset(self, revision: int) -> None:
        """Forget everything and stand at `revision`."""
        self._entries.clear()
        self._first = 0
        self._bytes = 0
        self.floor = self.head = revision

    def append(self, entry: EncodedRevision) -> None:
        """Add the next revision. After a gap the ring begins anew: the log has what is missing."""
        if entry.revision != self.head + 1:
            self.reset(entry.revision - 1)
        self._entries.append(entry)
        self._bytes += entry.size
        self.head = entry.revision
        while len(self._entries) - self._first > 1 and (
            self._bytes > self._max_bytes or len(self._entries) - self._first > self._max_revisions
        ):
            self._bytes -= self._entries[self._first].size
            self._first += 1
        self.floor = self._entries[self._first].revision - 1
        if self._first >= _TRIM_AT:
            del self._entries[: self._first]
            self._first = 0

    def since(self, cursor: int, *, limit: int) -> Sequence[EncodedRevision]:
        """At most `limit` revisions after `cursor`, which must not be below the floor."""
        assert cursor >= self.floor
        start = self._first + cursor - self.floor
        return self._entries[start : start + limit]
