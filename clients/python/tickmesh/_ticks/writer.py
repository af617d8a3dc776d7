"""A writer that keeps going: small puts joined, each message sent until it is acknowledged."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from tickmesh._ticks.commands import put_command
from tickmesh._ticks.frames import MAX_MESSAGE_BYTES, MAX_MESSAGE_ROWS, to_batches
from tickmesh._ticks.put_stream import PutStream
from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh.errors import (
    DeadlineExceededError,
    InvalidArgumentError,
    TickmeshError,
    UnavailableError,
)

if TYPE_CHECKING:
    from types import TracebackType

    from tickmesh._ticks.commands import AcknowledgementName
    from tickmesh._ticks.connection import TickConnection
    from tickmesh._ticks.frames import TickData
    from tickmesh._ticks.put_stream import Acknowledgement
    from tickmesh._ticks.time_arguments import TimeZone

MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Rows handed in and not acknowledged; beyond it `put` blocks."""
_FIRST_PAUSE_SECONDS, _PAUSE_GROWTH, _LONGEST_PAUSE_SECONDS = 0.2, 1.6, 30.0


@dataclass(frozen=True, slots=True)
class Producer:
    """A producer as the store answered it.

    Attributes:
        producer_id: Its id.
        epoch: The epoch opened; older ones are fenced.
        last_sequence: The last sequence stored; the next message is the one after it.
    """

    producer_id: str
    epoch: int
    last_sequence: int


@dataclass(frozen=True, slots=True)
class PutReceipt:
    """What the store acknowledged.

    Attributes:
        rows: Rows stored.
        batches: Messages acknowledged, duplicates among them.
        duplicates: Messages that were stored before, by an earlier try.
        dataset_revision: The dataset revision that holds the last of them.
    """

    rows: int
    batches: int
    duplicates: int
    dataset_revision: int


class TickWriter:
    """Sends rows of one dataset in order, exactly once, and says what has arrived.

    A background thread joins what waits into messages, numbers them, and sends a message again,
    under the same sequence, when the connection fails; the store answers a repeat as a duplicate.
    A context manager: leaving it flushes, unless an exception leaves with it. For one or more
    threads; rows of one `put` stay together and in order.
    """

    def __init__(
        self,
        connection: TickConnection,
        dataset: str,
        *,
        producer: Producer,
        version: int | None = None,
        ack: AcknowledgementName = "durable",
        on_behalf_of: str | None = None,
        retry_seconds: float = 60.0,
    ) -> None:
        self.dataset = dataset
        self.producer = producer
        self._connection = connection
        self._command = put_command(
            dataset,
            version=version,
            producer_id=producer.producer_id,
            producer_epoch=producer.epoch,
            ack=ack,
            on_behalf_of=on_behalf_of,
        )
        self._retry_seconds = retry_seconds
        self._changed = threading.Condition()
        self._waiting: deque[pa.RecordBatch] = deque()
        self._unacknowledged: deque[tuple[int, pa.RecordBatch]] = deque()
        self._held_bytes = 0
        self._held_rows = 0
        self._sequence = producer.last_sequence
        self._acknowledged_sequence = producer.last_sequence
        self._rows = 0
        self._duplicates = 0
        self._revision = 0
        self._schema: pa.Schema | None = None
        self._sizes: deque[int] = deque()
        self._waiting_since: deque[float] = deque()
        self._unacknowledged_since: deque[float] = deque()
        self._stream_ended = False
        self._closing = False
        self._attempt = 0
        self._give_up_at = 0.0
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="tick-writer", daemon=True)
        self._thread.start()

    # For callers ------------------------------------------------------------------------------

    def put(self, data: TickData, *, tz: TimeZone | None = None) -> None:
        """Hand rows in; blocks while too much waits for its acknowledgement.

        Args:
            data: As for `TickClient.put`.
            tz: The zone of zone-less timestamp columns.

        Raises:
            TickmeshError: an earlier message was refused; nothing after it is stored.
        """
        for batch in to_batches(data, tz=tz):
            if batch.num_rows:
                self._hand_in(batch)

    def flush(self, *, timeout_seconds: float | None = None) -> PutReceipt:
        """Wait until everything handed in is acknowledged.

        Raises:
            DeadlineExceededError: not within `timeout_seconds`; the writer goes on.
            TickmeshError: a message was refused, or retries were given up.
        """
        with self._changed:
            done = self._changed.wait_for(
                lambda: self._failure is not None or not self._held_rows,
                timeout=timeout_seconds,
            )
            if self._failure is not None:
                raise self._failure
            if not done:
                raise DeadlineExceededError(
                    f"{self._held_rows} rows were not acknowledged within {timeout_seconds} s; "
                    "they are still being sent.",
                    metadata={"rows": str(self._held_rows)},
                )
            return self._receipt()

    def close(self, *, timeout_seconds: float | None = None) -> PutReceipt:
        """Flush and end the writer. Raises as `flush`; the writer is ended in any case."""
        try:
            return self.flush(timeout_seconds=timeout_seconds)
        finally:
            self.abandon()

    def abandon(self) -> None:
        """End the writer without waiting; what was not acknowledged may or may not be stored."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    @property
    def lag_rows(self) -> int:
        """Rows handed in and not yet acknowledged."""
        return self._held_rows

    @property
    def lag_seconds(self) -> float:
        """How long the oldest row that is not yet acknowledged has been waiting; 0 without any."""
        with self._changed:
            since = self._unacknowledged_since or self._waiting_since
            return time.monotonic() - since[0] if since else 0.0

    @property
    def receipt(self) -> PutReceipt:
        """What is acknowledged so far."""
        with self._changed:
            return self._receipt()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abandon()

    # Inside -----------------------------------------------------------------------------------

    def _receipt(self) -> PutReceipt:
        return PutReceipt(
            rows=self._rows,
            batches=self._acknowledged_sequence - self.producer.last_sequence,
            duplicates=self._duplicates,
            dataset_revision=self._revision,
        )

    def _hand_in(self, batch: pa.RecordBatch) -> None:
        batch = self._same_schema(batch)
        size = batch.nbytes
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._failure is not None
                    or self._closing
                    or not self._held_bytes
                    or self._held_bytes + size <= MAX_WAITING_BYTES
                )
            )
            if self._failure is not None:
                raise self._failure
            if self._closing:
                raise InvalidArgumentError("the writer is closed; open another one.")
            self._waiting.append(batch)
            self._waiting_since.append(time.monotonic())
            self._held_bytes += size
            self._held_rows += batch.num_rows
            self._changed.notify_all()

    def _same_schema(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self._schema is None:
            self._schema = batch.schema
        if batch.schema.equals(self._schema):
            return batch
        try:
            return batch.select(self._schema.names).cast(self._schema)
        except (KeyError, pa.ArrowException) as error:
            raise InvalidArgumentError(
                "all rows of a writer share the schema of its first ones; open another writer for "
                f"other columns: {error}"
            ) from error

    def _run(self) -> None:
        while self._wait_for_work():
            try:
                self._send(self._open())
            except Exception as error:  # noqa: BLE001 - told to those who put and who wait
                if not (isinstance(error, TickmeshError) and self._may_retry(error)):
                    with self._changed:
                        self._failure = error
                        self._changed.notify_all()
                    return

    def _open(self) -> PutStream:
        assert self._schema is not None
        with self._changed:
            self._stream_ended = False
            duplicates_before = self._duplicates
        return PutStream(
            self._connection,
            self._command,
            self._schema,
            on_acknowledgement=lambda ack: self._acknowledged(ack, duplicates_before),
            on_end=self._ended,
        )

    def _send(self, stream: PutStream) -> None:
        """Send again what an earlier stream left unacknowledged, then what is handed in."""
        with self._changed:
            again = list(self._unacknowledged)
        for sequence, batch in again:
            stream.write(batch, commands_pb2.PutMetadata(sequence=sequence))
        while (message := self._next_message()) is not None:
            sequence, batch = message
            stream.write(batch, commands_pb2.PutMetadata(sequence=sequence))
        stream.close()
        with self._changed:
            if not self._closing:
                raise UnavailableError("the tick store ended the stream", reason="STREAM_ENDED")

    def _wait_for_work(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._waiting or self._unacknowledged)
            return not self._closing

    def _next_message(self) -> tuple[int, pa.RecordBatch] | None:
        """Join what waits into the next message; None when the stream or the writer ends."""
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._stream_ended or self._waiting)
            if self._closing or self._stream_ended:
                return None
            rows = size = count = 0
            for part in self._waiting:
                rows += part.num_rows
                size += part.nbytes
                if count and (rows > MAX_MESSAGE_ROWS or size > MAX_MESSAGE_BYTES):
                    break
                count += 1
            parts, batch = _joined(list(islice(self._waiting, count)))
            self._unacknowledged_since.append(self._waiting_since[0])
            for _ in parts:
                self._waiting.popleft()
                self._waiting_since.popleft()
            self._sequence += 1
            self._unacknowledged.append((self._sequence, batch))
            self._sizes.append(sum(part.nbytes for part in parts))
            return self._sequence, batch

    def _acknowledged(self, ack: Acknowledgement, duplicates_before: int) -> None:
        with self._changed:
            while self._unacknowledged and self._unacknowledged[0][0] <= ack.through_sequence:
                _, batch = self._unacknowledged.popleft()
                self._unacknowledged_since.popleft()
                self._held_bytes -= self._sizes.popleft()
                self._held_rows -= batch.num_rows
                self._rows += batch.num_rows
                self._attempt = 0
            if ack.through_sequence > self._acknowledged_sequence:
                self._acknowledged_sequence = ack.through_sequence
                self._revision = ack.dataset_revision or self._revision
            self._duplicates = duplicates_before + ack.duplicates
            if ack.state == commands_pb2.ACKNOWLEDGEMENT_LEVEL_UNSPECIFIED:
                # The store takes no more on this stream; closing it tells why.
                self._stream_ended = True
            self._changed.notify_all()

    def _ended(self) -> None:
        with self._changed:
            self._stream_ended = True
            self._changed.notify_all()

    def _may_retry(self, error: TickmeshError) -> bool:
        """Wait before the next try; false when there should be none."""
        if not error.retryable:
            return False
        now = time.monotonic()
        if self._attempt == 0:
            self._give_up_at = now + self._retry_seconds
        if now >= self._give_up_at:
            return False
        longest = _FIRST_PAUSE_SECONDS * _PAUSE_GROWTH**self._attempt
        self._attempt += 1
        pause = error.retry_after_seconds or random.uniform(  # noqa: S311 — jitter, not secrecy
            0, min(longest, _LONGEST_PAUSE_SECONDS)
        )
        with self._changed:
            self._changed.wait_for(lambda: self._closing, timeout=pause)
        return True


def _joined(parts: list[pa.RecordBatch]) -> tuple[list[pa.RecordBatch], pa.RecordBatch]:
    """The first of the parts that fit into one batch, and that batch; dictionaries are unified.

    Those that differ by more values than their indices can tell apart do not fit.
    """
    while len(parts) > 1:
        try:
            table = pa.Table.from_batches(parts).unify_dictionaries()
        except pa.ArrowInvalid:
            parts = parts[: len(parts) // 2]
            continue
        (batch,) = table.combine_chunks().to_batches()
        return parts, batch
    return parts, parts[0]
