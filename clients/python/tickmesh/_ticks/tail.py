"""A live tail: history after a position, then rows as they are committed, without gap or repeat."""

from __future__ import annotations

import logging
import random
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import pyarrow as pa

from tickmesh._ticks.commands import command_descriptor
from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh.errors import TickmeshError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Literal

    from pyarrow import flight

    from tickmesh._ticks.connection import TickConnection

    TailBegin = Literal["first", "newest"]

_log = logging.getLogger("tickmesh.ticks")

_SLOW_CONSUMER = "SLOW_CONSUMER"
_CREDITS = 64
"""Batches the store may send ahead of the consumer."""
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.2, 30.0


@dataclass(frozen=True, slots=True)
class TailBatch:
    """Some rows of a tail.

    Attributes:
        batch: The rows.
        position: The place behind them: `tail(after=position)` goes on there.
        dataset_revision: The dataset revision they bring the reader to.
    """

    batch: pa.RecordBatch
    position: str
    dataset_revision: int


class Tail:
    """An iterator over a dataset that never ends by itself.

    When the connection fails, the store goes down, or it ends a consumer that fell too far behind,
    the tail says so and goes on where it was: no row is missed, none comes twice. A context
    manager. `close` may be called from another thread and ends the iteration.

    Attributes:
        position: The place behind the last batch handed out.
        interruptions: How often the stream was interrupted and resumed.
    """

    def __init__(
        self,
        connection: TickConnection,
        command: commands_pb2.ReadCommand,
        *,
        on_interruption: Callable[[TickmeshError], None] | None = None,
    ) -> None:
        self._connection = connection
        self._command = command
        self._on_interruption = on_interruption
        self.interruptions = 0
        self._closed = threading.Event()
        self._reader: flight.FlightStreamReader | None = None
        self.position = command.resume_token
        self._batches = self._run()

    def __iter__(self) -> Iterator[TailBatch]:
        return self._batches

    def __next__(self) -> TailBatch:
        return next(self._batches)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration. Safe to call twice and from any thread."""
        self._closed.set()
        reader = self._reader
        if reader is not None:
            reader.cancel()

    def _run(self) -> Iterator[TailBatch]:
        pause = _FIRST_PAUSE_SECONDS
        while not self._closed.is_set():
            try:
                for item in self._one_stream():
                    pause = _FIRST_PAUSE_SECONDS
                    yield item
            except TickmeshError as error:
                if self._closed.is_set():
                    return
                slow = error.reason == _SLOW_CONSUMER
                if not (slow or isinstance(error, UnavailableError)):
                    raise
                self._tell(error)
                if slow:
                    continue
                wait = error.retry_after_seconds or random.uniform(0, pause)  # noqa: S311 — jitter
                pause = min(pause * 1.6, _LONGEST_PAUSE_SECONDS)
                self._closed.wait(wait)

    def _tell(self, error: TickmeshError) -> None:
        self.interruptions += 1
        if self._on_interruption is not None:
            self._on_interruption(error)
            return
        _log.warning("the tail of %s is resumed: %s", self._command.dataset, error.message)

    def _one_stream(self) -> Iterator[TailBatch]:
        self._command.resume_token = self.position
        with self._connection.errors():
            writer, reader = self._connection.flight.do_exchange(
                command_descriptor(self._command), self._connection.options()
            )
            self._reader = reader
            try:
                if self._closed.is_set():
                    # While the stream was opened: `close` found none to cancel.
                    return
                credits_left = _CREDITS
                writer.write_metadata(_control(_CREDITS, self.position))
                for chunk in reader:
                    if chunk.app_metadata is None:
                        continue
                    metadata = commands_pb2.TailMetadata.FromString(chunk.app_metadata.to_pybytes())
                    self.position = metadata.position_token
                    if chunk.data is None or metadata.heartbeat:
                        # The store can end a stream in good order only when it hears something.
                        writer.write_metadata(_control(0, self.position))
                        continue
                    yield TailBatch(chunk.data, self.position, metadata.dataset_revision)
                    # Asked for again only now that the consumer has come back for more.
                    credits_left -= 1
                    if credits_left <= _CREDITS // 2:
                        writer.write_metadata(_control(_CREDITS - credits_left, self.position))
                        credits_left = _CREDITS
            finally:
                self._reader = None
                reader.cancel()
                with suppress(pa.ArrowException):
                    # Closing what was cancelled fails by nature, and complains if left undone.
                    writer.close()
        if not self._closed.is_set():
            raise UnavailableError("the tick store ended the tail", reason="STREAM_ENDED")


def _control(granted: int, position: str) -> pa.Buffer:
    control = commands_pb2.TailControl(credits=granted, acknowledged_token=position)
    return pa.py_buffer(control.SerializeToString())
