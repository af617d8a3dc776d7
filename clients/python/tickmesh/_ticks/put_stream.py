"""One do_put stream: batches up on the caller's thread, acknowledgements down on another."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from tickmesh._ticks.commands import command_descriptor
from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh.errors import TickmeshError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh._ticks.connection import TickConnection

Acknowledgement: TypeAlias = commands_pb2.PutAcknowledgement


class PutStream:
    """A stream of batches under one `PutCommand`, in one schema.

    Attributes:
        acknowledged: The last acknowledgement read; it speaks for everything before it.
    """

    def __init__(
        self,
        connection: TickConnection,
        command: commands_pb2.PutCommand,
        schema: pa.Schema,
        *,
        on_acknowledgement: Callable[[Acknowledgement], None] | None = None,
        on_end: Callable[[], None] | None = None,
    ) -> None:
        self._connection = connection
        self._on_acknowledgement = on_acknowledgement
        self._on_end = on_end
        self.acknowledged = Acknowledgement()
        with connection.errors():
            self._writer, reader = connection.flight.do_put(
                command_descriptor(command), schema, connection.options()
            )
        self._reader: Any = reader  # the stubs take it for a reader of batches
        self._closed = False
        self._closing = threading.Lock()
        self._failure: TickmeshError | None = None
        self._thread = threading.Thread(
            target=self._read_acknowledgements, name="tick-acknowledgements", daemon=True
        )
        self._thread.start()

    def write(self, batch: pa.RecordBatch, metadata: commands_pb2.PutMetadata) -> None:
        """Send one batch; blocks while the store does not read.

        Raises:
            TickmeshError: the store ended the stream, with its reason.
        """
        try:
            self._writer.write_with_metadata(batch, pa.py_buffer(metadata.SerializeToString()))
        except (pa.ArrowException, OSError) as error:
            # The write only learns that the stream is over; closing it learns why.
            self.close()
            raise UnavailableError(
                "the tick store ended the stream without a reason", reason="STREAM_ENDED"
            ) from error

    def close(self) -> None:
        """End the stream and wait until the store has handled all of it.

        Safe to call again, and from several threads but not from a callback: each is told the same.

        Raises:
            TickmeshError: the store refused a batch or failed.
        """
        with self._closing:
            if not self._closed:
                self._closed = True
                try:
                    self._end()
                except TickmeshError as error:
                    self._failure = error
        if self._failure is not None:
            raise self._failure

    def _end(self) -> None:
        with suppress(pa.ArrowException, OSError):
            # Fails where the stream is broken already; close() below says why.
            self._writer.done_writing()
        # Closing drops what was not read: the last acknowledgements are read first.
        self._thread.join()
        with self._connection.errors():
            self._writer.close()

    def abandon(self) -> None:
        """End the stream of which nothing more is expected."""
        try:
            self.close()
        except TickmeshError:
            return

    def _read_acknowledgements(self) -> None:
        try:
            while (message := self._reader.read()) is not None:
                self.acknowledged = Acknowledgement.FromString(message.to_pybytes())
                if self._on_acknowledgement is not None:
                    self._on_acknowledgement(self.acknowledged)
        except (pa.ArrowException, OSError):
            # The same failure is raised, with its reason, by write() or close().
            pass
        finally:
            if self._on_end is not None:
                self._on_end()
