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

    The handler's own thread listens and another one sends, because nothing can interrupt a read:
    a handler that returned while its stream is being read would bring the process down. So a
    stream is ended from here at the next word of the reader (ours answer each heartbeat), or at
    once when it has closed its side.

    Raises:
        VersionNotReadableError: rows came that cannot be read under the version of the tail; says
            where to go on under another one.
        SlowConsumerError: the reader fell more than `max_lag_rows` behind while it took nothing;
            says where to resume.
        DrainingError: the server is going down; says where to resume.
        MalformedDataError: the reader sent something else than control messages.
    """
    follower = store.follow(call, command)
    prefix = store.position_token(command.dataset, follower.position).rpartition(":")[0]
    sender = _Sender(call, follower, writer, prefix=prefix, max_lag_rows=max_lag_rows)
    try:
        writer.begin(follower.schema)
        sender.start()
        _listen(reader, sender)
        sender.join()
    except BaseException:
        sender.stop()
        raise
    finally:
        follower.close()
    if sender.refusal is not None:
        raise sender.refusal


def _listen(reader: flight.MetadataRecordBatchReader, sender: _Sender) -> None:
    """Hears credits until the reader closes its side or the sender has come to an end."""
    while not sender.ended:
        try:
            chunk = reader.read_chunk()
        except (StopIteration, pa.ArrowException, OSError):
            # Nothing more to say, or gone: sending will tell which.
            return
        if chunk.app_metadata is not None:
            sender.grant(tail_control(chunk.app_metadata).credits)


class _Sender:
    """Sends batches as far as credits go, and a heartbeat where there is nothing to send.

    A reader that never grants credits has no limit but HTTP/2's.
    """

    def __init__(
        self,
        call: FlightCall,
        follower: Follower,
        writer: flight.MetadataRecordBatchWriter,
        *,
        prefix: str,
        max_lag_rows: int,
    ) -> None:
        self.ended = False
        self.refusal: Exception | None = None
        self._call = call
        self._follower = follower
        self._writer = writer
        self._prefix = prefix
        self._max_lag_rows = max_lag_rows
        self._revision = 0
        self._changed = threading.Condition()
        self._credits: int | None = None
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="tail-sender", daemon=True)
        self.start = self._thread.start

    def grant(self, count: int) -> None:
        """The reader will take so many batches more; the first grant begins the counting."""
        if count > 0:
            with self._changed:
                self._credits = (self._credits or 0) + count
                self._changed.notify_all()

    def join(self) -> None:
        """Waits until nothing is sent any more."""
        self._thread.join()

    def stop(self) -> None:
        """Ends sending."""
        self._stopped = True
        self._follower.close()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            self._send_all()
        except domain.VersionNotReadableError as error:
            self.refusal = error.knowing(positionToken=self._token())
        except domain.TickStoreError as error:
            if not self._stopped:
                self.refusal = error
        except (pa.ArrowException, OSError):
            # The reader is gone.
            pass
        except Exception as error:  # noqa: BLE001 — raised by the handler, which guards it
            self.refusal = error
        finally:
            self.ended = True
            self._ask_for_a_word()

    def _send_all(self) -> None:
        next_heartbeat = time.monotonic() + _HEARTBEAT_SECONDS
        while not self._stopped and not self._call.cancelled:
            self._check()
            followed = self._follower.wait(_POLL_SECONDS) if self._may_send() else None
            if followed is not None:
                self._revision = followed.position.revision
                metadata = commands_pb2.TailMetadata(
                    position_token=f"{self._prefix}:{followed.position.token()}",
                    dataset_revision=self._revision,
                )
                self._writer.write_with_metadata(
                    followed.batch, pa.py_buffer(metadata.SerializeToString())
                )
                with self._changed:
                    if self._credits is not None:
                        self._credits -= 1
            elif time.monotonic() >= next_heartbeat:
                self._beat()
            else:
                continue
            next_heartbeat = time.monotonic() + _HEARTBEAT_SECONDS

    def _may_send(self) -> bool:
        with self._changed:
            self._changed.wait_for(
                lambda: self._credits is None or self._credits > 0, _POLL_SECONDS
            )
            return self._credits is None or self._credits > 0

    def _check(self) -> None:
        if self._call.draining:
            raise DrainingError(
                "The store is going down; resume after the position in a moment.",
                metadata={"positionToken": self._token()},
                retry_after_seconds=1.0,
            )
        if self._credits == 0 and (lag := self._follower.lag_rows()) > self._max_lag_rows:
            raise SlowConsumerError(
                f"The reader is {lag} rows behind and takes none; at most {self._max_lag_rows} are "
                "allowed. Resume after the position, and read faster or fewer columns.",
                metadata={"positionToken": self._token(), "lagRows": str(lag)},
            )

    def _token(self) -> str:
        return f"{self._prefix}:{self._follower.position.token()}"

    def _beat(self) -> None:
        heartbeat = commands_pb2.TailMetadata(
            position_token=self._token(), dataset_revision=self._revision, heartbeat=True
        )
        self._writer.write_metadata(pa.py_buffer(heartbeat.SerializeToString()))

    def _ask_for_a_word(self) -> None:
        """One more heartbeat: its answer lets the handler end the stream."""
        try:
            self._beat()
        except (pa.ArrowException, OSError, domain.TickStoreError):
            # The reader is gone, and its handler hears of it as well.
            return
