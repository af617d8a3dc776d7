"""The storage engine's interface. One conformance suite runs against every engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

from tickmesh_tickstore.domain.positions import START, Position
from tickmesh_tickstore.domain.stamps import ANONYMOUS, Origin, Stamp
from tickmesh_tickstore.engine.field_rules import NO_RULES, FieldRules

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    import pyarrow as pa

    from tickmesh_tickstore.domain.filters import Filter
    from tickmesh_tickstore.domain.limits import EngineLimits
    from tickmesh_tickstore.domain.producers import ProducerSequence, ProducerState
    from tickmesh_tickstore.domain.requests import PlannedRange, RangePayload, ScanRequest
    from tickmesh_tickstore.domain.retention import Retention
    from tickmesh_tickstore.domain.snapshots import Snapshot
    from tickmesh_tickstore.engine.acknowledgement import AppendFuture
    from tickmesh_tickstore.engine.row_stream import RowStream
    from tickmesh_tickstore.engine.streams import StreamProgress

__all__ = [
    "AppendStream",
    "DatasetInfo",
    "DatasetStatistics",
    "Followed",
    "Follower",
    "Judge",
    "Prepare",
    "ScanPlan",
    "TickEngine",
    "Upload",
]

Judge = Callable[["pa.RecordBatch"], object | None]
"""Judges rows: `None` lets them in, any other object refuses them and reaches the producer."""


Prepare = Callable[["pa.RecordBatch"], "pa.RecordBatch"]
"""Makes rows as they came rows of the schema version they are judged against, row by row alike."""


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """A dataset as it stands.

    Attributes:
        name: Its name, which is its subject's.
        dataset_id: The id of this very dataset, never used again.
        revision: Its newest dataset revision; 0 before the first change.
        versions: The schema versions it takes rows of, ascending, with their Arrow schemas.
        event_time: Name of the event time column of the newest version, if any.
        symbol: Name of the symbol column of the newest version, if any.
        generations: The generation of each of `versions`.
        damage: Why it neither takes nor gives rows; empty while it is sound.
    """

    name: str
    dataset_id: str
    revision: int
    versions: tuple[tuple[Stamp, pa.Schema], ...]
    event_time: str | None
    symbol: str | None
    generations: tuple[int, ...]
    damage: str = ""

    @property
    def schema(self) -> pa.Schema:
        """The newest version's Arrow schema."""
        return self.versions[-1][1]


@dataclass(frozen=True, slots=True)
class DatasetStatistics:
    """Figures of one dataset.

    Attributes:
        revision: Newest dataset revision.
        rows: Rows stored.
        segments: Immutable segments.
        unsealed_rows: Rows that live in the write-ahead log.
        log_bytes: Bytes in logs that are not sealed yet.
        segment_bytes: Bytes in segments.
        min_time_ns: Least event time stored, `None` when there is none.
        max_time_ns: Greatest event time stored, `None` when there is none.
        waiting_bytes: Appends that wait for the writer.
        commit_groups: Commit groups written since the engine's start.
        dropped_bytes: Bytes in segments that retention dropped and reads as of older revisions see.
        retained_from_revision: The dataset revision from which on rows are kept; 0 while nothing
            was dropped.
        failure: Why the dataset takes no more writes; empty while it does.
        settled_segments: Those of the segments which are settled.
        settled_rows: Rows in them.
        settled_bytes: Bytes in them.
        version_rows: Rows stored, by schema version.
        logs: Logs that hold rows.
    """

    revision: int
    rows: int
    segments: int
    unsealed_rows: int
    log_bytes: int
    segment_bytes: int
    min_time_ns: int | None
    max_time_ns: int | None
    waiting_bytes: int
    commit_groups: int
    dropped_bytes: int
    retained_from_revision: int
    failure: str
    version_rows: Mapping[int, int]
    settled_segments: int = 0
    settled_rows: int = 0
    settled_bytes: int = 0
    logs: int = 0


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """A read split into disjoint ranges of one snapshot, in order.

    Attributes:
        schema: The rows' schema.
        dataset_revision: The snapshot.
        ranges: What to hand to `scan`, one after the other or side by side.
    """

    schema: pa.Schema
    dataset_revision: int
    ranges: tuple[PlannedRange, ...]


@dataclass(frozen=True, slots=True)
class Followed:
    """Some rows of a tail.

    Attributes:
        batch: The rows, under the schema the follower was opened with.
        position: The cut behind them; following after it goes on without gap or duplicate (T8).
        stamp: The schema version they were judged against.
    """

    batch: pa.RecordBatch
    position: Position
    stamp: Stamp


class Follower(Protocol):
    """A reader that goes on with whatever arrives. For one thread at a time.

    It reads from storage at its own pace: a slow one costs no memory and misses nothing.
    """

    @property
    def schema(self) -> pa.Schema:
        """The schema of every batch, fixed for the follower's life."""
        ...

    @property
    def position(self) -> Position:
        """The cut behind the last batch given out."""
        ...

    def lag_rows(self) -> int:
        """Rows that are visible but not given out yet."""
        ...

    def wait(self, timeout_seconds: float) -> Followed | None:
        """The next wanted rows, at once if they are the next ones stored; else `None` in time.

        Stored rows of other symbols are passed over meanwhile: `position` moves on with `None` too.

        Raises:
            StoreClosedError: The follower or its engine was closed.
            DatasetNotFoundError: The dataset was deleted.
        """
        ...

    def close(self) -> None:
        """End it; a waiting thread is woken."""
        ...


class AppendStream(Protocol):
    """Messages on their way in, for one thread that sends and one that waits.

    If a message fails, all behind it fail too: nothing is stored behind a hole.
    """

    @property
    def error(self) -> Exception | None:
        """Why the stream has ended; `None` while it goes on."""
        ...

    @property
    def received(self) -> StreamProgress:
        """How much of it is judged and written."""
        ...

    @property
    def durable(self) -> StreamProgress:
        """How much of it is on stable storage."""
        ...

    @property
    def decided(self) -> bool:
        """Whether every message sent is durable or failed."""
        ...

    def send(self, batch: pa.RecordBatch, *, sequence: int = 0) -> None:
        """Hand a message to the dataset's writer; blocks while too much is waiting (T11).

        Raises:
            LimitExceededError, StoreFailedError, StoreClosedError: It was not handed in.
            Exception: The stream's `error`, once there is one.
        """
        ...

    def wait(self, seen: StreamProgress, timeout_seconds: float, *, durable: bool = True) -> None:
        """Wait until more than `seen` is durable, or received.

        It ends early on `wake`, and once when the stream has failed and what was sent before is
        decided.
        """
        ...

    def wait_until_decided(self) -> None:
        """Wait until every message sent is durable or failed."""
        ...

    def wake(self) -> None:
        """Let the thread that waits look around."""
        ...


class Upload(Protocol):
    """An atomic upload (T3): nothing of it is visible before `commit`. A context manager.

    Leaving the context without `commit` drops it.
    """

    def append(self, batch: pa.RecordBatch) -> None:
        """Judge and stage one batch.

        Raises:
            RowsRefusedError, WrongColumnsError, LimitExceededError, DiskFullError: The upload is
                dropped.
        """
        ...

    def commit(self, *, batches: int, rows: int) -> AppendFuture:
        """The final marker: make everything visible under one dataset revision.

        Raises:
            UploadIncompleteError: Other numbers of batches or rows arrived; the upload is dropped.
        """
        ...

    def abort(self) -> None:
        """Drop it."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class TickEngine(Protocol):
    """Stores ticks by dataset. Every method may be called from any thread.

    Whatever reads or writes a dataset raises `DatasetDamagedError` where acknowledged rows of it
    are damaged: it is shown by `dataset`, `datasets` and `statistics` alone, and never answers
    with fewer rows.
    """

    @property
    def limits(self) -> EngineLimits:
        """Its bounds (T11)."""
        ...

    def create_dataset(
        self,
        name: str,
        *,
        stamp: Stamp,
        schema: pa.Schema,
        rules: FieldRules = NO_RULES,
        generation: int = 1,
    ) -> DatasetInfo:
        """Create a dataset with its first schema version; durable on return.

        Args:
            name: The name.
            stamp: The version.
            schema: Its columns.
            rules: Its defaults, and which of its nulls are values.
            generation: The generation it belongs to, from 1.

        Raises:
            DatasetAlreadyExistsError: The name is taken.
            InvalidArgumentError: The name is empty or too long, or the schema cannot be stored.
        """
        ...

    def add_version(
        self,
        name: str,
        *,
        stamp: Stamp,
        schema: pa.Schema,
        rules: FieldRules = NO_RULES,
        generation: int = 1,
    ) -> DatasetInfo:
        """Let a dataset take rows of a further schema version; durable on return.

        Doing so again with the same schema changes nothing. Arguments as for `create_dataset`.

        Raises:
            DatasetNotFoundError: No such dataset.
            WrongColumnsError: The version is known with another schema.
        """
        ...

    def add_reader(
        self,
        name: str,
        *,
        stamp: Stamp,
        schema: pa.Schema,
        rules: FieldRules = NO_RULES,
        generation: int = 1,
    ) -> None:
        """Let a dataset be read under a version that no row was written under.

        It is known until the engine closes. One that rows are taken of changes nothing. Arguments
        as for `create_dataset`.

        Raises:
            DatasetNotFoundError: No such dataset.
            WrongColumnsError: The version is known with another schema.
        """
        ...

    def reader_schema(self, name: str, *, reader_version: int | None = None) -> pa.Schema:
        """The columns that rows have under a version; under the newest one when it is `None`.

        Raises:
            DatasetNotFoundError: No such dataset.
            SchemaVersionNotFoundError: The version is not known.
        """
        ...

    def dataset(self, name: str) -> DatasetInfo:
        """A dataset as it stands.

        Raises:
            DatasetNotFoundError: No such dataset.
        """
        ...

    def datasets(self) -> tuple[DatasetInfo, ...]:
        """All datasets by name."""
        ...

    def delete_dataset(self, name: str) -> int:
        """Delete a dataset with all its rows; durable on return. Its id is never used again.

        Reads under way finish or end with `DatasetNotFoundError`; what waits to be written is
        refused with it. A damaged dataset may be deleted.

        Returns:
            The rows that were deleted.

        Raises:
            DatasetNotFoundError: No such dataset.
            DatasetHeldError: Named snapshots hold it.
        """
        ...

    def create_snapshot(self, name: str, *, datasets: Sequence[str] = ()) -> Snapshot:
        """Name the present revisions of some datasets and keep what they show (T7); durable.

        Args:
            name: The snapshot's name.
            datasets: The datasets; all when empty.

        Raises:
            SnapshotExistsError: The name is taken.
            InvalidArgumentError: The name can be none.
            DatasetNotFoundError, DatasetDamagedError: A dataset cannot be read.
        """
        ...

    def snapshot(self, name: str) -> Snapshot:
        """A named snapshot.

        Raises:
            SnapshotNotFoundError: There is none of that name.
        """
        ...

    def snapshots(self) -> tuple[Snapshot, ...]:
        """All named snapshots by name."""
        ...

    def delete_snapshot(self, name: str) -> None:
        """Forget a named snapshot; what only it kept goes with the next `reclaim`.

        Raises:
            SnapshotNotFoundError: There is none of that name.
        """
        ...

    def append(
        self,
        name: str,
        batch: pa.RecordBatch,
        *,
        stamp: Stamp,
        judge: Judge,
        producer: ProducerSequence | None = None,
        origin: Origin = ANONYMOUS,
    ) -> AppendFuture:
        """Hand one message to the dataset's writer; blocks while too much is waiting (T11).

        The judge sees whole commit groups: the rows of all messages that name the same judge
        object are joined. It runs on the writer's thread and must not keep the batch.

        Args:
            name: The dataset.
            batch: Exactly the columns of the schema version.
            stamp: The schema version.
            judge: Decides whether the rows are let in.
            producer: The message's sequence, for exactly once (T4).
            origin: Who writes.

        Raises:
            DatasetNotFoundError, SchemaVersionNotFoundError, WrongColumnsError,
            LimitExceededError, StoreFailedError, StoreClosedError: Nothing was queued.
        """
        ...

    def open_stream(
        self,
        name: str,
        *,
        stamp: Stamp,
        judge: Judge,
        prepare: Prepare | None = None,
        producer_id: str = "",
        epoch: int = 0,
        origin: Origin = ANONYMOUS,
    ) -> AppendStream:
        """Begin a stream of messages in order, which ends at the first one that is refused.

        Args:
            name: The dataset.
            stamp: The schema version.
            judge: As for `append`.
            prepare: Makes messages rows of the schema version; without it they have to be. It runs
                on the writer's thread, for many messages at once.
            producer_id: The producer whose sequences the messages carry (T4); empty without one.
            epoch: The epoch it writes under.
            origin: Who writes.

        Raises:
            DatasetNotFoundError, SchemaVersionNotFoundError: There is nothing to write to.
        """
        ...

    def open_producer(self, name: str, producer_id: str) -> ProducerState:
        """Open a new epoch of a producer and fence the older ones; durable on return (T4).

        Raises:
            DatasetNotFoundError, LimitExceededError, DiskFullError, StoreFailedError: Not opened.
        """
        ...

    def begin_upload(
        self,
        name: str,
        *,
        stamp: Stamp,
        judge: Judge,
        producer: ProducerSequence | None = None,
        origin: Origin = ANONYMOUS,
    ) -> Upload:
        """Begin an atomic upload; its sequence, if any, names the upload as a whole."""
        ...

    def plan(self, request: ScanRequest, *, max_endpoints: int = 1) -> ScanPlan:
        """Pin a snapshot and split a read into ranges of about equal size."""
        ...

    def scan(self, request: ScanRequest | RangePayload) -> RowStream:
        """Read one snapshot (T7), in bounded memory however many rows it has.

        The snapshot and everything that can be refused are decided here; rows are read while the
        stream is read. Rows that lie memory-mapped and need no work come through a C++ reader that
        needs no Python to go on (`RowStream.is_held`).

        Rows of every schema version are read under one of them: columns by field id, cast where
        that is exact, missing ones filled with the reader's default or null.

        Raises:
            DatasetNotFoundError, FutureRevisionError, SnapshotGoneError: Nothing to read there.
            NoEventTimeError, NoSymbolError, InvalidArgumentError: The dataset cannot answer it.
            FilterInvalidError: Its filter does not fit the columns.
            SchemaVersionNotFoundError: The reader's version is not known.
            VersionNotReadableError: Some rows cannot be read under it without loss.
            GenerationNotReadableError: The same, of rows of another generation.
            LimitExceededError: More rows than may be held at once.
            DatasetDamagedError: Stored rows are damaged; also while the stream is read.
        """
        ...

    def follow(
        self,
        name: str,
        *,
        after: Position = START,
        symbols: Sequence[str] | None = None,
        wanted: Filter | None = None,
        columns: Sequence[str] | None = None,
        reader_version: int | None = None,
        generation: int | None = None,
    ) -> Follower:
        """Everything behind a position, then whatever arrives, under one version (T8, T9).

        Rows that cannot be read under it raise when they come up, as `scan` does; the follower's
        position is in front of them then. Of a `generation` only its own rows come up; the
        position passes over the others.

        Raises:
            DatasetNotFoundError, NoSymbolError, InvalidArgumentError: It cannot be followed so.
            PositionExpiredError: Rows behind the position were dropped; `Follower.wait` raises it
                too when they are while it lags. From the start on, the first row kept is first.
        """
        ...

    def flush(self, name: str, *, timeout_seconds: float) -> None:
        """Move everything acknowledged so far out of the write-ahead log into segments.

        Raises:
            DatasetNotFoundError, DiskFullError, StoreFailedError: Nothing was moved.
            TimeoutError: It goes on in the background.
        """
        ...

    def compact(self, name: str, *, timeout_seconds: float) -> None:
        """Flush, then bring all rows into settled segments, small neighbours merged.

        No row changes its position, and no read another answer.

        Raises:
            DatasetNotFoundError, DiskFullError, StoreFailedError: Every row is where it was.
            TimeoutError: It goes on in the background.
        """
        ...

    def trim(self, name: str, retention: Retention) -> int:
        """Drop the oldest segments that retention does not keep, under a revision of its own (T7).

        Reads as of older revisions see them until `reclaim` removes their files; a tail that goes
        on behind a dropped row is told so. Rows in the write-ahead log are moved into segments
        first when all others are past their age.

        Returns:
            The rows that were dropped.

        Raises:
            DatasetNotFoundError, DatasetDamagedError, DiskFullError, StoreFailedError: Nothing
                was dropped.
        """
        ...

    def reclaim(self, name: str, *, dropped_before_ns: int) -> int:
        """Remove the files of rows that were dropped until an instant and no snapshot shows.

        Afterwards a read as of a revision that showed them is refused: never fewer rows.

        Returns:
            The bytes that were freed.
        """
        ...

    def statistics(self, name: str) -> DatasetStatistics:
        """Figures of one dataset."""
        ...

    def close(self) -> None:
        """Finish what was handed in, then release everything. Safe to call twice."""
        ...
