"""The change log, read straight from the store: what every history is judged against.

It is read again and again during a run, so that what compaction drops later is known too.
"""

from __future__ import annotations

import asyncio
import bisect
import hashlib
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from tests.chaos.history import StoreSeen, now_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tests.chaos.history import History

QUERY = """
SELECT l.revision, l.sequence, l.kind, l.subject, l.version, l.previous_version, l.action,
       l.state, l.previous_state, v.labels, COALESCE(v.text, l.rejected_text)
FROM change_log l LEFT JOIN versions v ON v.subject = l.subject AND v.version = l.version
WHERE l.revision > ? ORDER BY l.revision, l.sequence
"""
COLUMNS = 11
CLOCK = "SELECT epoch, revision, compact_revision FROM registry_clock"


def text_digest(text: str | None) -> str:
    """What stands for a text in histories."""
    return hashlib.sha256(text.encode()).hexdigest()[:16] if text else ""


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """An entry of the change log; 0 and "" stand for nothing.

    `state` and `previous_state` are those of its version and of the one before it, then; labels
    never change.
    """

    revision: int
    sequence: int
    kind: str
    subject: str
    version: int
    previous_version: int
    action: str
    state: str
    previous_state: str
    labels: Mapping[str, str]
    digest: str

    @property
    def key(self) -> tuple[int, int]:
        """Its place in the log."""
        return self.revision, self.sequence


@dataclass(frozen=True, slots=True)
class StoreState:
    """The store at one instant: where it stands, and the log after some revision."""

    epoch: str
    revision: int
    compact_revision: int
    changes: tuple[LoggedChange, ...]


class LogReader(Protocol):
    """Reads the store beside the servers that use it."""

    async def read(self, after: int) -> StoreState | None:
        """The store and its log after a revision, of one snapshot; None while it cannot be read."""


class SqliteLogReader:
    """Reads a SQLite store on a connection that can neither write nor checkpoint."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def read(self, after: int) -> StoreState | None:
        """The store and its log after a revision; None while a killed server's file is not mended.

        Args:
            after: Changes after this revision.
        """
        return await asyncio.to_thread(self._read, after)

    def _read(self, after: int) -> StoreState | None:
        try:
            with closing(
                sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, isolation_level=None)
            ) as connection:
                connection.execute("BEGIN")
                epoch, revision, compact_revision = connection.execute(CLOCK).fetchone()
                rows = connection.execute(QUERY, (after,)).fetchall()
        except sqlite3.Error:
            return None
        return StoreState(epoch, revision, compact_revision, changes_of(rows))


def changes_of(rows: Iterable[Sequence[object]]) -> tuple[LoggedChange, ...]:
    """Rows of the query as changes."""
    return tuple(
        LoggedChange(
            revision=int(str(row[0])),
            sequence=int(str(row[1])),
            kind=str(row[2]),
            subject=str(row[3]),
            version=int(str(row[4] or 0)),
            previous_version=int(str(row[5] or 0)),
            action=str(row[6] or ""),
            state=str(row[7] or ""),
            previous_state=str(row[8] or ""),
            labels=json.loads(str(row[9] or "{}")),
            digest=text_digest(None if row[10] is None else str(row[10])),
        )
        for row in rows
    )


@dataclass
class ChangeLog:
    """Every change that was ever committed, in order.

    Attributes:
        vanished: Changes read once and no longer there, though not compacted.
        unread: Revisions that were compacted before they were read: the run cannot be judged.
    """

    epoch: str = ""
    revision: int = 0
    changes: list[LoggedChange] = field(default_factory=list)
    vanished: list[LoggedChange] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    _revisions: list[int] = field(default_factory=list)

    def extend(self, state: StoreState) -> None:
        """Take what a read found after the last one."""
        self.epoch = self.epoch or state.epoch
        if state.revision < self.revision:
            self._forget_after(state.revision)
        if state.compact_revision > self.revision:
            self.unread.extend(range(self.revision + 1, state.compact_revision + 1))
        self.changes.extend(state.changes)
        self._revisions.extend(change.revision for change in state.changes)
        self.revision = state.revision

    def _forget_after(self, revision: int) -> None:
        """The store has gone back: what it had and lost is remembered as such."""
        kept = bisect.bisect_right(self._revisions, revision)
        self.vanished.extend(self.changes[kept:])
        del self.changes[kept:], self._revisions[kept:]

    def index(self) -> None:
        """Be ready for questions after the changes were put in by hand."""
        self._revisions = [change.revision for change in self.changes]

    def between(self, after: int, through: int) -> Sequence[LoggedChange]:
        """The changes of revisions in (after, through]."""
        first = bisect.bisect_right(self._revisions, after)
        return self.changes[first : bisect.bisect_right(self._revisions, through)]

    def compare(self, state: StoreState) -> None:
        """Hold a read of the whole log against what was read before."""
        now = {change.key: change for change in state.changes}
        kept = self.between(state.compact_revision, self.revision)
        self.vanished.extend(change for change in kept if now.get(change.key) != change)


class LogArchive:
    """Reads the log of a run to its end, however often it is compacted."""

    def __init__(self, reader: LogReader, history: History) -> None:
        self.log = ChangeLog()
        self.compact_revision = 0
        self._turn = asyncio.Lock()
        self._reader = reader
        self._history = history

    async def read(self) -> bool:
        """Read what is new; False while the store cannot be read."""
        async with self._turn:
            from_ns = now_ns()
            state = await self._reader.read(self.log.revision)
            if state is None:
                return False
            self._saw(state, from_ns)
            self.compact_revision = state.compact_revision
            self.log.extend(state)
            return True

    async def follow(self, *, every_seconds: float = 0.05) -> None:
        """Read until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(every_seconds)

    async def read_surely(self) -> None:
        """Read what is new as soon as the store can be read."""
        while not await self.read():  # noqa: ASYNC110 - a file tells nobody
            await asyncio.sleep(0.05)

    async def finish(self) -> None:
        """Read the rest, and all of it once more; the store must be there by now."""
        await self.read_surely()
        whole = await self._reader.read(0)
        if whole is not None:
            self.log.compare(whole)

    def _saw(self, state: StoreState, from_ns: int) -> None:
        self._history.add(
            StoreSeen(from_ns, now_ns(), state.epoch, state.revision, state.compact_revision)
        )
