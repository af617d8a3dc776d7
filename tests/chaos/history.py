"""What happened in a run: one record a fact, in memory and as JSON lines on disk.

Instants are `time.monotonic_ns()` of this machine, which all processes of a run share.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from tests.chaos.selection import Selection

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import TextIO


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """One event as a watcher saw it; `digest` is of its text, 0 and "" stand for nothing."""

    revision: int
    sequence: int
    kind: str
    subject: str
    version: int
    previous_version: int
    state: str
    transition: str
    digest: str


@dataclass(frozen=True, slots=True)
class WatchOpened:
    """A watch was asked for.

    Attributes:
        stream: Its number, the same in all records of the stream.
        watcher: Who watches; resumes are further streams of the same watcher.
        lane: The way its bytes take: the name of a proxy.
        start: now, after_revision, after_token or snapshot.
        revision: Where it starts after, for the two that say so.
        epoch: The store epoch of its token.
        raw: Whether responses are recorded as they came; else a client has stitched them.
    """

    record: ClassVar[str] = "watch_opened"
    stream: int
    watcher: str
    lane: str
    at_ns: int
    start: str
    revision: int
    epoch: str
    selection: Selection
    include_previous: bool
    progress_seconds: float
    raw: bool


@dataclass(frozen=True, slots=True)
class WatchResponded:
    """A response came; `revision` of a token is 0 where there is none, -1 where it is no token."""

    record: ClassVar[str] = "watch_responded"
    stream: int
    at_ns: int
    kind: str
    revision: int
    prev_revision: int
    token_epoch: str
    token_revision: int
    fragment: bool
    compact_revision: int
    events: tuple[SeenEvent, ...]


@dataclass(frozen=True, slots=True)
class WatchEnded:
    """A stream ended.

    Attributes:
        by: server, or watcher where the watcher itself cancelled it.
        code: The status code, as gRPC names it.
        reason: That of the ErrorInfo.
        metadata: That of the ErrorInfo.
    """

    record: ClassVar[str] = "watch_ended"
    stream: int
    at_ns: int
    by: str
    code: str
    reason: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ReadingPaused:
    """A watcher took nothing off its stream for a while."""

    record: ClassVar[str] = "reading_paused"
    stream: int
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class Write:
    """One attempt to change something.

    Attributes:
        unique: Names what is written; a retry has the same.
        kind: register, breaking, force, race, replay (of an earlier request id), policy,
            deprecate, delete, restore or change_set.
        group: Writes of which at most one may succeed share it.
        outcome: ok, refused or conflict (nothing written), unknown.
        changes: How many changes its revision holds.
        digest: Of the text.
    """

    record: ClassVar[str] = "write"
    writer: str
    unique: str
    kind: str
    subject: str
    group: str
    called_ns: int
    returned_ns: int
    outcome: str
    code: str
    reason: str
    revision: int
    version: int
    already: bool
    changes: int
    digest: str


@dataclass(frozen=True, slots=True)
class Read:
    """A GetSchema of the latest version with a `min_revision`."""

    record: ClassVar[str] = "read"
    subject: str
    min_revision: int
    called_ns: int
    returned_ns: int
    code: str
    revision: int
    version: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something was broken on purpose; `target` is a replica, a lane, or * for all."""

    record: ClassVar[str] = "fault"
    name: str
    target: str
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class Drained:
    """A replica was asked to end, and gives its calls `grace_ns` before it cuts them."""

    record: ClassVar[str] = "drained"
    replica: str
    lanes: tuple[str, ...]
    from_ns: int
    to_ns: int
    exit_code: int
    grace_ns: int = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Hidden:
    """From between two instants on, subjects with these prefixes are hidden from watchers."""

    record: ClassVar[str] = "hidden"
    from_ns: int
    to_ns: int
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoreSeen:
    """The store itself was read between two instants and stood there."""

    record: ClassVar[str] = "store_seen"
    from_ns: int
    to_ns: int
    epoch: str
    revision: int
    compact_revision: int


@dataclass(frozen=True, slots=True)
class Converged:
    """How far a watcher came when all faults were over; it had to reach `target`."""

    record: ClassVar[str] = "converged"
    watcher: str
    target: int
    reached: int
    seconds: float


@dataclass(frozen=True, slots=True)
class HarnessStalled:
    """The harness itself was late: nothing is said about speed in this time."""

    record: ClassVar[str] = "harness_stalled"
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class ReplicaStalled:
    """The process of a replica was late as a whole, or its disk: as `HarnessStalled`."""

    record: ClassVar[str] = "replica_stalled"
    replica: str
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class MemoryUsed:
    """Anonymous and shared resident memory of a replica."""

    record: ClassVar[str] = "memory_used"
    replica: str
    at_ns: int
    resident_bytes: int


Record = (
    WatchOpened
    | WatchResponded
    | WatchEnded
    | ReadingPaused
    | Write
    | Read
    | Fault
    | Drained
    | Hidden
    | StoreSeen
    | Converged
    | HarnessStalled
    | ReplicaStalled
    | MemoryUsed
)
RecordT = TypeVar("RecordT")

_TYPES: Mapping[str, type[Any]] = {
    kind.record: kind
    for kind in (
        WatchOpened,
        WatchResponded,
        WatchEnded,
        ReadingPaused,
        Write,
        Read,
        Fault,
        Drained,
        Hidden,
        StoreSeen,
        Converged,
        HarnessStalled,
        ReplicaStalled,
        MemoryUsed,
    )
}


@dataclass
class History:
    """All records of a run in the order they were made."""

    records: list[Record] = field(default_factory=list)
    file: TextIO | None = None
    streams: int = 0
    _by_kind: dict[type, list[Any]] = field(default_factory=dict)
    _sorted: int = 0

    def add(self, record: Record) -> None:
        """Keep a record, on disk too if there is a file."""
        self.records.append(record)
        if self.file is not None:
            self.file.write(json.dumps({"record": record.record, **asdict(record)}) + "\n")

    def new_stream(self) -> int:
        """The number of a further stream."""
        self.streams += 1
        return self.streams

    def of(self, kind: type[RecordT]) -> Iterator[RecordT]:
        """The records of one kind; judges ask a million times, so they are sorted by kind once."""
        for record in self.records[self._sorted :]:
            self._by_kind.setdefault(type(record), []).append(record)
        self._sorted = len(self.records)
        return iter(self._by_kind.get(kind, ()))


def load(path: Path) -> History:
    """Read a history from disk."""
    history = History()
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            values = json.loads(line)
            kind = _TYPES[values.pop("record")]
            history.records.append(kind(**{f.name: _value(f.name, values) for f in fields(kind)}))
    return history


def _value(name: str, values: dict[str, Any]) -> Any:
    value = values[name]
    if name == "events":
        return tuple(SeenEvent(**event) for event in value)
    if name == "selection":
        return Selection.of(value)
    return tuple(value) if isinstance(value, list) else value


def now_ns() -> int:
    """This instant."""
    return time.monotonic_ns()
