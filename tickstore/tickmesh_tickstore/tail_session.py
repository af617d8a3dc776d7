"""A live tail (T8): batches with their positions down, credits up, a heartbeat each second."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh_tickstore.commands import tail_control
from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.errors import DrainingError, SlowConsumerError

if TYPE_CHECKING:
    from pyarrow import flight

    from tickmesh_serving.flight import FlightCall
    from tickmesh_tickstore.application import TickStore
    from tickmesh_tickstore.engine.interface import Follower

_HEARTBEAT_SECONDS = 1.0
_POLL_SECONDS = 0.25
_LAST_READ_SECONDS = 0.05


class Credits:
    """How many batches the reader will take, heard on a thread of its own.

    A reader that never speaks has no limit but HTTP/2's: the first control message begins counting.
    """

    def __init__(self, reader: flight.MetadataRecordBatchReader) -> None:
        self._reader = reader
        self._changed = threading.Condition()
        self._left: int | None = None
        self._ended = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._listen, name="tail-credits", daemon=True)
        self._thread.start()

    def take(self, timeout_seconds: float) -> bool:
        """Waits for a credit; false when there is none in time.

        Raises:
            MalformedDataError: the reader sent something else than control messages.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._left is None or self._left > 0 or self._failure, timeout_seconds
            )
            if self._failure is not None:
                raise self._failure
            return self._left is None or self._left > 0

    def spend(self) -> None:
        """One batch was sent."""
        with self._changed:
            if self._left is not None:
                self._left -= 1

    def end(self) -> None:
        """The stream is about to end."""
        self._ended = True
        # The listener is in its last read, or will see the flag: give it the moment between.
        self._thread.join(_LAST_READ_SECONDS)

    def _listen(self) -> None:
        try:
            while not self._ended:
                chunk = self._reader.read_chunk()
                if chunk.app_metadata is None:
                    continue
                control = tail_control(chunk.app_metadata)
                with self._changed:
                    self._left = max(0, self._left or 0) + max(0, control.credits)
                    self._changed.notify_all()
        except (StopIteration, pa.ArrowException, OSError):
            # The reader has no more to say, or is gone: writing to it will tell.
            return
        except domain.TickStoreError as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()


def serve_tail(
    store: TickStore,
    call: FlightCall,
    command: commands_pb2.ReadCommand,
    reader: flight.MetadataRecordBatchReader,
    writer: flight.MetadataRecordBatchWriter,
    *,
    max_lag_rows: int,
) -> None:
    """Sends what follows a position until the reader leaves.

    Raises:
        SlowConsumerError: the reader fell more than `max_lag_rows` behind while it took nothing;
            says where to resume.
        DrainingError: the server is going down; says where to resume.
    """
    follower = store.follow(call, command)
    prefix = store.position_token(command.dataset, follower.position).rpartition(":")[0]
    credit = Credits(reader)
    try:
        writer.begin(follower.schema)
        _send_all(call, follower, credit, writer, prefix=prefix, max_lag_rows=max_lag_rows)
    finally:
        credit.end()
        follower.close()


def _send_all(
    call: FlightCall,
    follower: Follower,
    credit: Credits,
    writer: flight.MetadataRecordBatchWriter,
    *,
    prefix: str,
    max_lag_rows: int,
) -> None:
    revision = 0
    next_heartbeat = time.monotonic() + _HEARTBEAT_SECONDS
    while not call.cancelled:
        token = f"{prefix}:{follower.position.token()}"
        if call.draining:
            raise DrainingError(
                "The store is going down; resume after the position in a moment.",
                metadata={"positionToken": token},
                retry_after_seconds=1.0,
            )
        followed = None
        if credit.take(_POLL_SECONDS):
            followed = follower.wait(_POLL_SECONDS)
        elif (lag := follower.lag_rows()) > max_lag_rows:
            raise SlowConsumerError(
                f"The reader is {lag} rows behind and takes none; at most {max_lag_rows} are "
                "allowed. Resume after the position, and read faster or fewer columns.",
                metadata={"positionToken": token, "lagRows": str(lag)},
            )
        if followed is not None:
            revision = followed.position.revision
            metadata = commands_pb2.TailMetadata(
                position_token=f"{prefix}:{followed.position.token()}", dataset_revision=revision
            )
            writer.write_with_metadata(followed.batch, pa.py_buffer(metadata.SerializeToString()))
            credit.spend()
        elif time.monotonic() >= next_heartbeat:
            heartbeat = commands_pb2.TailMetadata(
                position_token=token, dataset_revision=revision, heartbeat=True
            )
            writer.write_metadata(pa.py_buffer(heartbeat.SerializeToString()))
        else:
            continue
        next_heartbeat = time.monotonic() + _HEARTBEAT_SECONDS
