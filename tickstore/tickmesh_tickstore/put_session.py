"""What one stream of batches becomes: rows handed to the engine, and what may be acknowledged."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.domain.producers import ProducerSequence
from tickmesh_tickstore.engine import StreamProgress
from tickmesh_tickstore.errors import InvalidRequestError, InvalidRowsError
from tickmesh_tickstore.governance import RefusedRows

if TYPE_CHECKING:
    import pyarrow as pa

    from tickmesh.api.tickstore.v1.commands_pb2 import FinalMarker, PutMetadata
    from tickmesh_tickstore.columns import ColumnMatching
    from tickmesh_tickstore.commands import PutRequest
    from tickmesh_tickstore.counters import PutCounters
    from tickmesh_tickstore.domain.stamps import Origin, Stamp
    from tickmesh_tickstore.engine.interface import TickEngine, Upload
    from tickmesh_tickstore.governance import GovernedSchema


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stream has come, cumulative.

    Attributes:
        through_sequence: Every batch up to this one is covered; without a producer, their count.
        durable: Whether they are synchronised to disk; else judged and written only.
        rows: Rows stored by this stream.
        duplicates: Batches that were stored before.
        dataset_revision: The dataset revision that holds the last of them.
    """

    through_sequence: int = 0
    durable: bool = True
    rows: int = 0
    duplicates: int = 0
    dataset_revision: int = 0


class PutSession(Protocol):
    """One stream on its way in, used by two threads.

    The thread that reads calls `add`, then `end`. The thread that acknowledges calls `wait` until
    `drained`. When that one has ended, the first calls `close`.
    """

    def add(self, batch: pa.RecordBatch | None, metadata: PutMetadata | None) -> None:
        """Takes one message; raises what is wrong with it, or with one before it."""
        ...

    def end(self) -> None:
        """No message will follow."""
        ...

    def wait(self, timeout_seconds: float) -> Progress | None:
        """The progress made since the last call; None when there is none in time."""
        ...

    @property
    def drained(self) -> bool:
        """Whether the stream has ended and everything of it is decided."""
        ...

    @property
    def failed(self) -> bool:
        """Whether a message was refused: nothing after it will be stored."""
        ...

    @property
    def idle(self) -> bool:
        """Whether everything that was added is decided."""
        ...

    def close(self, error: Exception | None = None) -> Progress:
        """Everything is durable, or the refusal is raised with how much of the stream is stored.

        Args:
            error: What `add` raised, if it did.
        """
        ...


@dataclass(frozen=True, slots=True)
class PutTarget:
    """Where the batches of a stream go, and under what.

    Attributes:
        engine: The engine.
        request: What the stream asked for.
        governed: The schema version they are judged against.
        matching: How they become batches of it.
        stamp: The same version, in the engine's words.
        origin: Who writes.
        counters: The store's figures.
    """

    engine: TickEngine
    request: PutRequest
    governed: GovernedSchema
    matching: ColumnMatching
    stamp: Stamp
    origin: Origin
    counters: PutCounters

    def sequence_of(self, metadata: PutMetadata | None) -> ProducerSequence | None:
        """The name of a message; None without a producer."""
        request = self.request
        if not request.producer_id:
            return None
        if metadata is None or metadata.sequence <= 0:
            raise InvalidRequestError(
                "Every batch of a producer carries its sequence, from 1, as PutMetadata in its "
                "app_metadata.",
                violations=[("app_metadata.sequence", "expected a sequence from 1")],
            )
        return ProducerSequence(request.producer_id, request.producer_epoch, metadata.sequence)


class StreamingPut:
    """Message by message: each is stored as a whole or refused as a whole, in order."""

    def __init__(self, target: PutTarget) -> None:
        request = target.request
        self._target = target
        self._stream = target.engine.open_stream(
            request.dataset,
            stamp=target.stamp,
            judge=target.governed.judge,
            prepare=None if target.matching.identical else target.matching.apply,
            producer_id=request.producer_id,
            epoch=request.producer_epoch,
            origin=target.origin,
        )
        self._named = bool(request.producer_id)
        self._ended = False
        self._seen = StreamProgress()

    def add(self, batch: pa.RecordBatch | None, metadata: PutMetadata | None) -> None:
        """Hands one batch to the engine; does not wait for it."""
        if self._named or metadata is not None:
            self._add_described(batch, metadata)
        elif batch is not None:
            self._stream.send(batch)

    def _add_described(self, batch: pa.RecordBatch | None, metadata: PutMetadata | None) -> None:
        if batch is None:
            if metadata is not None and metadata.HasField("final"):
                raise InvalidRequestError("A final marker ends an atomic upload; this is none.")
            if self._stream.error is not None:
                raise self._stream.error
            return
        sequence = self._target.sequence_of(metadata)
        self._stream.send(batch, sequence=0 if sequence is None else sequence.sequence)

    def end(self) -> None:
        """Lets the other thread go once nothing is pending."""
        self._ended = True
        self._stream.wake()

    @property
    def drained(self) -> bool:
        """Whether nothing is pending any more, or nothing more will be stored."""
        return self._ended and self.idle

    @property
    def idle(self) -> bool:
        """Whether nothing is pending."""
        return self._stream.decided

    @property
    def failed(self) -> bool:
        """Whether a batch was refused, and what was sent before it is durable."""
        return self._stream.error is not None and self._stream.decided

    def wait(self, timeout_seconds: float) -> Progress | None:
        """Takes together whatever has become storable since: one acknowledgement for all of it."""
        durable = self._target.request.durable
        self._stream.wait(self._seen, timeout_seconds, durable=durable)
        return self._take(self._stream.durable if durable else self._stream.received)

    def close(self, error: Exception | None = None) -> Progress:
        """Waits until the last batch is durable."""
        stream = self._stream
        stream.wait_until_decided()
        self._take(stream.durable)
        error = stream.error or error
        progress = self._progress(stream.durable, durable=True)
        if error is None:
            return progress
        self._target.counters.refused()
        raise explained(error, rows=progress.rows, batches=progress.through_sequence) from error

    def _take(self, come: StreamProgress) -> Progress | None:
        """Counts what has come since the last call; None when that is nothing."""
        seen = self._seen
        if come.messages <= seen.messages:
            return None
        self._target.counters.stored(
            rows=come.rows - seen.rows, duplicates=come.duplicates - seen.duplicates
        )
        self._seen = come
        return self._progress(come, durable=self._target.request.durable)

    def _progress(self, come: StreamProgress, *, durable: bool) -> Progress:
        through = come.through_sequence if self._named else come.messages
        return Progress(through, durable, come.rows, come.duplicates, come.dataset_revision)


class AtomicPut:
    """An upload that becomes visible as a whole on its final marker, or not at all (T3)."""

    def __init__(self, target: PutTarget) -> None:
        self._target = target
        self._upload: Upload | None = None
        self._committed: Progress | None = None
        self._told = False
        self._done = threading.Event()

    def add(self, batch: pa.RecordBatch | None, metadata: PutMetadata | None) -> None:
        """Judges and stages one batch, or commits on the marker."""
        if self._committed is not None:
            raise InvalidRequestError("The upload was ended by its final marker; open another.")
        marker = metadata.final if metadata is not None and metadata.HasField("final") else None
        upload = self._upload or self._begin(metadata)
        if batch is not None and (batch.num_rows or marker is None):
            upload.append(self._target.matching.apply(batch))
        if marker is not None:
            self._commit(upload, marker)

    def end(self) -> None:
        """Lets the other thread go."""
        self._done.set()

    @property
    def drained(self) -> bool:
        """Whether the stream has ended and its commit, if any, was told."""
        return self._done.is_set() and (self._committed is None or self._told)

    @property
    def idle(self) -> bool:
        """Always, as far as anybody was promised anything: nothing is stored before the marker."""
        return self._committed is None or self._told

    @property
    def failed(self) -> bool:
        """Never: what is refused is raised at once."""
        return False

    def wait(self, timeout_seconds: float) -> Progress | None:
        """The commit, once."""
        self._done.wait(timeout_seconds)
        if self._committed is None or self._told:
            return None
        self._told = True
        return self._committed

    def close(self, error: Exception | None = None) -> Progress:
        """Answers the commit; without the marker nothing is stored."""
        if self._committed is not None and error is None:
            return self._committed
        if self._upload is not None and self._committed is None:
            self._upload.abort()
        if error is None:
            error = domain.UploadIncompleteError(
                "the stream ended without the upload's final marker, so nothing of it is stored: "
                "send PutMetadata.final with the numbers of batches and rows, then close"
            )
        self._target.counters.refused()
        stored = self._committed or Progress()
        raise explained(error, rows=stored.rows, batches=stored.through_sequence) from error

    def _begin(self, metadata: PutMetadata | None) -> Upload:
        target = self._target
        self._upload = target.engine.begin_upload(
            target.request.dataset,
            stamp=target.stamp,
            judge=target.governed.judge,
            producer=target.sequence_of(metadata),
            origin=target.origin,
        )
        return self._upload

    def _commit(self, upload: Upload, marker: FinalMarker) -> None:
        appended = upload.commit(batches=marker.batches, rows=marker.rows).result()
        duplicate = appended.duplicate
        self._committed = Progress(
            through_sequence=marker.batches,
            rows=0 if duplicate else appended.rows,
            duplicates=int(duplicate),
            dataset_revision=appended.dataset_revision or 0,
        )
        self._target.counters.stored(
            rows=self._committed.rows, duplicates=self._committed.duplicates
        )


def explained(error: Exception, *, rows: int, batches: int) -> Exception:
    """A refusal on its way to the client: what is broken, and how much of the stream is stored."""
    known = {"rowsStored": str(rows), "batchesStored": str(batches)}
    stored = f" {rows} rows of this stream are stored." if rows else " No row of it is stored."
    if isinstance(error, domain.RowsRefusedError) and isinstance(error.refusal, RefusedRows):
        refusal = error.refusal.examine()
        return InvalidRowsError(
            f"{refusal}{stored}",
            metadata={**refusal.metadata, **known},
            violations=refusal.violations,
        )
    if isinstance(error, domain.TickStoreError):
        return error.knowing(**known)
    return error
