"""The tick store as a sink: batch n of a producer is the message with sequence n of its put."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from tickmesh._ticks.commands import put_command
from tickmesh._ticks.put_stream import PutStream
from tickmesh.api.tickstore.v1 import commands_pb2, tick_store_service_pb2
from tickmesh.errors import (
    DeadlineExceededError,
    ResourceExhaustedError,
    TickmeshError,
    UnavailableError,
)
from tickmesh_cleaner.domain.errors import TickStoreUnavailableError
from tickmesh_cleaner.sinks.sink import OpenedProducer, Written

if TYPE_CHECKING:
    import pyarrow as pa

    from tickmesh._ticks.connection import TickConnection
    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.traces import JobTrace

_WORTH_A_RETRY = (UnavailableError, DeadlineExceededError, ResourceExhaustedError)
_CALL_TIMEOUT_SECONDS = 10.0


class TickStoreSink:
    """Writes one job's good rows. One thread writes; acknowledgements come on another."""

    def __init__(
        self,
        connection: TickConnection,
        *,
        dataset: str,
        source: str,
        on_behalf_of: str,
        trace: JobTrace | None = None,
    ) -> None:
        """Name the dataset; nothing is opened yet.

        Args:
            connection: The tick store. Shared; not closed here.
            dataset: Where the rows go.
            source: The source's digest: what source ranges refer to.
            on_behalf_of: Who made the job; the cleaner proved that name, whom it acted for in turn
                is only said, and stands in the job. Empty for the cleaner itself.
            trace: The job's trace; batches are of none without it.
        """
        self._connection = connection
        self._dataset = dataset
        self._source = source
        self._on_behalf_of = on_behalf_of or None
        self._trace = trace
        self._producer_id = ""
        self._epoch = 0
        self._stream: _NumberedStream | None = None

    def open(self, producer_id: str) -> OpenedProducer:
        """Open a new epoch; see `Sink.open`."""
        self.close()
        request = tick_store_service_pb2.OpenProducerRequest(
            dataset=self._dataset, producer_id=producer_id
        )
        try:
            answer = self._connection.call(
                "OpenProducer", request, timeout_seconds=_CALL_TIMEOUT_SECONDS
            )
        except TickmeshError as error:
            raise _failure(error) from error
        self._producer_id = producer_id
        self._epoch = answer.producer.producer_epoch
        return OpenedProducer(epoch=self._epoch, last_n=answer.producer.last_sequence)

    def write(
        self, n: int, batch: pa.RecordBatch, *, schema: RegisteredSchema, start: str, end: str
    ) -> Future[Written]:
        """Send batch n; see `Sink.write`."""
        stream = self._stream
        if stream is not None and (stream.version != schema.version or n <= stream.last_n):
            # A stream has one schema, and its acknowledgements speak for everything before them:
            # one for n could be the first one's or the repeat's. What it still holds is settled
            # before the next one opens.
            self.close()
        try:
            if self._stream is None:
                self._stream = self._open_stream(schema)
        except TickmeshError as error:
            refused: Future[Written] = Future()
            refused.set_exception(_failure(error))
            return refused
        metadata = commands_pb2.PutMetadata(
            sequence=n,
            traceparent=self._trace.of_batch(n) if self._trace else "",
            source_range=commands_pb2.SourceRange(source=self._source, start=start, end=end),
        )
        return self._stream.write(batch.cast(schema.arrow_schema), metadata)

    def close(self) -> None:
        """End the stream; waits until the store has handled what was sent."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _open_stream(self, schema: RegisteredSchema) -> _NumberedStream:
        command = put_command(
            self._dataset,
            version=schema.version,
            producer_id=self._producer_id,
            producer_epoch=self._epoch,
            ack="durable",
            on_behalf_of=self._on_behalf_of,
        )
        return _NumberedStream(self._connection, command, schema)


class _NumberedStream:
    """One put stream whose every message has an answer of its own."""

    def __init__(
        self,
        connection: TickConnection,
        command: commands_pb2.PutCommand,
        schema: RegisteredSchema,
    ) -> None:
        self.version = schema.version
        self.last_n = 0
        self._lock = threading.Lock()
        self._pending: dict[int, Future[Written]] = {}
        self._failure: Exception | None = None
        self._stream = PutStream(
            connection,
            command,
            schema.arrow_schema,
            on_acknowledgement=self._acknowledged,
            on_end=self._ended,
        )

    def write(self, batch: pa.RecordBatch, metadata: commands_pb2.PutMetadata) -> Future[Written]:
        answer: Future[Written] = Future()
        self.last_n = metadata.sequence
        with self._lock:
            if self._failure is not None:
                answer.set_exception(self._failure)
                return answer
            self._pending[metadata.sequence] = answer
        try:
            self._stream.write(batch, metadata)
        except TickmeshError as error:
            if error.reason != "STREAM_ENDED":
                self._fail(_failure(error))
            # Else the stream's end was met first elsewhere, where its reason is known.
        return answer

    def close(self) -> None:
        try:
            self._stream.close()
        except TickmeshError as error:
            self._fail(_failure(error))
        self._fail(TickStoreUnavailableError())

    def _acknowledged(self, ack: commands_pb2.PutAcknowledgement) -> None:
        if ack.state == commands_pb2.ACKNOWLEDGEMENT_LEVEL_UNSPECIFIED:
            # The store takes no more on this stream: ending it tells why.
            self._ended()
        if ack.state != commands_pb2.ACKNOWLEDGEMENT_LEVEL_DURABLE:
            return
        with self._lock:
            settled = sorted(n for n in self._pending if n <= ack.through_sequence)
            answers = [self._pending.pop(n) for n in settled]
        for answer in answers:
            answer.set_result(Written(ack.dataset_revision))

    def _ended(self) -> None:
        # Closing joins the thread that calls this, so another one asks for the reason.
        threading.Thread(target=self.close, name="sink-end", daemon=True).start()

    def _fail(self, failure: Exception) -> None:
        with self._lock:
            self._failure = self._failure or failure
            answers = list(self._pending.values())
            self._pending.clear()
        for answer in answers:
            answer.set_exception(self._failure)


def _failure(error: TickmeshError) -> Exception:
    if isinstance(error, _WORTH_A_RETRY):
        return TickStoreUnavailableError(error.message)
    return error
