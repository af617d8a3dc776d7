"""The data plane: Flight handlers over the application. No row passes through Python here."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import flight

from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh_tickstore.actions import ACTION_DESCRIPTIONS, run_action
from tickmesh_tickstore.commands import (
    put_metadata,
    put_request,
    query_command,
    read_command,
)
from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.errors import DrainingError, InvalidRequestError, MalformedDataError
from tickmesh_tickstore.put_session import Progress
from tickmesh_tickstore.query_handlers import QUERIES
from tickmesh_tickstore.tail_session import serve_tail
from tickmesh_tickstore.tail_stream import stream_tail

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tickmesh_serving.flight import FlightCall
    from tickmesh_tickstore.application import TickStore
    from tickmesh_tickstore.planned_read import PlannedRead
    from tickmesh_tickstore.put_limits import PutAllowance
    from tickmesh_tickstore.put_session import PutSession

_HEARTBEAT_SECONDS = 1.0
_MAX_LISTED_FLIGHTS = 1_000


class TickStoreFlight:
    """`FlightHandlers` of the tick store."""

    def __init__(self, store: Callable[[], TickStore], *, max_lag_rows: int) -> None:
        """Takes where to find the store once it is open: calls come only then."""
        self._open_store = store
        self._max_lag_rows = max_lag_rows

    @property
    def _store(self) -> TickStore:
        return self._open_store()

    def put(
        self,
        call: FlightCall,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.FlightMetadataWriter,
    ) -> None:
        """Judges, stores and acknowledges a stream of batches."""
        incoming = reader.schema
        try:
            request = put_request(descriptor, incoming)
            with self._store.put_limits.stream(request.dataset) as allowance:
                session = self._store.open_put(call, request, incoming)
                _serve_put(call, reader, writer, session, allowance)
        except UnicodeDecodeError as error:
            raise MalformedDataError(
                "Names of columns, time zones and metadata are UTF-8; in the Arrow schema of this "
                "stream one is not."
            ) from error

    def get(self, call: FlightCall, ticket: flight.Ticket) -> flight.FlightDataStream:
        """Serves one range of a planned read, or a live tail to a plain client."""
        redeemed = self._store.redeem(call, ticket.ticket)
        if isinstance(redeemed, commands_pb2.ReadCommand):
            return stream_tail(self._store, call, redeemed)
        if redeemed.is_held:
            return flight.RecordBatchStream(redeemed.to_reader())
        # Rows to decode come a few megabytes at a time, each as one C++ stream: what fails in
        # between reaches the client as an error of ours.
        return call.generator_stream(redeemed.schema, redeemed.tables())

    def exchange(
        self,
        call: FlightCall,
        descriptor: flight.FlightDescriptor,
        reader: flight.MetadataRecordBatchReader,
        writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        """Serves a live tail."""
        command = read_command(descriptor)
        if not command.follow:
            raise InvalidRequestError(
                "do_exchange serves live tails: set ReadCommand.follow, or use get_flight_info and "
                "do_get.",
                violations=[("follow", "expected true")],
            )
        serve_tail(self._store, call, command, reader, writer, max_lag_rows=self._max_lag_rows)

    def info(self, call: FlightCall, descriptor: flight.FlightDescriptor) -> flight.FlightInfo:
        """Plans a read, whose endpoints are disjoint parts in order, or a query."""
        return _flight_info(descriptor, self._plan(call, descriptor))

    def schema(self, call: FlightCall, descriptor: flight.FlightDescriptor) -> pa.Schema:
        """The columns of a dataset, of a registered subject or of a query's answer."""
        if query_command(descriptor, QUERIES) is not None:
            return self._plan(call, descriptor).schema
        return self._store.schema(call, read_command(descriptor).dataset)

    def _plan(self, call: FlightCall, descriptor: flight.FlightDescriptor) -> PlannedRead:
        query = query_command(descriptor, QUERIES)
        if query is not None:
            return self._store.plan_query(call, query)
        return self._store.plan_read(call, read_command(descriptor))

    def flights(self, call: FlightCall, criteria: bytes) -> Iterable[flight.FlightInfo]:
        """One flight a dataset; criteria are the beginning of their names."""
        try:
            prefix = criteria.decode()
        except UnicodeDecodeError:
            raise InvalidRequestError("criteria must be the beginning of a name.") from None
        for count, view in enumerate(self._store.datasets(call, prefix=prefix)):
            if count >= _MAX_LISTED_FLIGHTS:
                break
            yield _flight_info(
                flight.FlightDescriptor.for_path(view.info.name),
                self._store.offer_read(call, view),
            )

    def action(self, call: FlightCall, action_type: str, body: bytes) -> Iterable[bytes]:
        """Calls a method of TickStoreService."""
        return [run_action(self._store, call, action_type, body)]

    def actions(self, call: FlightCall) -> Sequence[tuple[str, str]]:
        """The methods of TickStoreService."""
        del call
        return ACTION_DESCRIPTIONS


def _serve_put(
    call: FlightCall,
    reader: flight.MetadataRecordBatchReader,
    writer: flight.FlightMetadataWriter,
    session: PutSession,
    allowance: PutAllowance,
) -> None:
    acknowledger = _Acknowledger(call, session, writer)
    acknowledger.start()
    refusal: Exception | None = None
    try:
        _take_messages(call, reader, session, allowance)
    except (domain.TickStoreError, pa.ArrowException) as error:
        refusal = error
    finally:
        session.end()
        acknowledger.join()
    acknowledger.send(session.close(refusal))


def _take_messages(
    call: FlightCall,
    reader: flight.MetadataRecordBatchReader,
    session: PutSession,
    allowance: PutAllowance,
) -> None:
    add, read, check = session.add, reader.read_chunk, allowance.check
    while True:
        try:
            chunk = read()
            if chunk.data is not None:
                # What comes over the wire is believed by nobody: kernels take an offset or a
                # dictionary code beyond the end for granted, and bring the process down.
                chunk.data.validate(full=True)
        except StopIteration:
            return
        except (pa.ArrowException, OSError) as error:
            if call.cancelled or isinstance(error, flight.FlightError):
                raise
            raise MalformedDataError(
                "The Arrow data of a message cannot be read; send it as an Arrow stream of the "
                "schema it began with."
            ) from error
        raw = chunk.app_metadata
        metadata = None if raw is None else put_metadata(raw)
        if metadata is not None and metadata.traceparent:
            call.link_trace(metadata.traceparent, _words_of(metadata))
        check()
        add(chunk.data, metadata)
        if call.draining:
            raise DrainingError(
                "The store is going down; send what is not acknowledged again in a moment.",
                retry_after_seconds=1.0,
            )


def _words_of(metadata: commands_pb2.PutMetadata) -> dict[str, str]:
    """What a batch is, as attributes of the link from the call's span to the batch's trace."""
    words = {"tickmesh.sequence": str(metadata.sequence)}
    if metadata.HasField("source_range"):
        came = metadata.source_range
        words["tickmesh.source"] = came.source
        words["tickmesh.source_range"] = f"[{came.start}, {came.end})"
    return words


class _Acknowledger:
    """Tells the client how far its stream has come, from a thread of its own.

    A handler's thread is blocked in reading, so it cannot; a client that does not read its
    acknowledgements blocks this thread alone.
    """

    def __init__(
        self, call: FlightCall, session: PutSession, writer: flight.FlightMetadataWriter
    ) -> None:
        self._call = call
        self._session = session
        self._writer = writer
        self._sent: Progress | None = None
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="put-acknowledger", daemon=True)
        self.start, self.join = self._thread.start, self._thread.join

    def send(self, progress: Progress) -> None:
        """Writes one acknowledgement, unless the client heard it before."""
        if progress != self._sent:
            state = (
                commands_pb2.ACKNOWLEDGEMENT_LEVEL_DURABLE
                if progress.durable
                else commands_pb2.ACKNOWLEDGEMENT_LEVEL_RECEIVED
            )
            self._write(progress, state)

    def _run(self) -> None:
        session = self._session
        told = False
        while not session.drained:
            progress = session.wait(_HEARTBEAT_SECONDS)
            if progress is not None:
                self.send(progress)
            elif not told and (session.failed or self._call.draining):
                # The handler cannot end the stream while it reads: the client is asked to.
                told = True
                self._write(
                    self._sent or Progress(), commands_pb2.ACKNOWLEDGEMENT_LEVEL_UNSPECIFIED
                )
            elif told and self._call.draining and session.idle:
                # Asked a heartbeat ago, and silent since: all it sent is stored and acknowledged.
                self._call.settle()
            elif self._sent is not None and not told:
                self._write(self._sent, commands_pb2.ACKNOWLEDGEMENT_LEVEL_DURABLE)

    def _write(
        self, progress: Progress, state: commands_pb2.AcknowledgementLevel.ValueType
    ) -> None:
        self._sent = progress
        if self._broken:
            return
        acknowledgement = commands_pb2.PutAcknowledgement(
            through_sequence=progress.through_sequence,
            state=state,
            rows=progress.rows,
            duplicates=progress.duplicates,
            dataset_revision=progress.dataset_revision,
        )
        try:
            self._writer.write(pa.py_buffer(acknowledgement.SerializeToString()))
        except (pa.ArrowException, OSError):
            # The client is gone; what it sent is stored all the same.
            self._broken = True


def _flight_info(descriptor: flight.FlightDescriptor, plan: PlannedRead) -> flight.FlightInfo:
    # Without locations a client redeems the tickets where it asked for them.
    expires: Any = pa.scalar(plan.expires_at_ns, pa.timestamp("ns", "UTC"))  # stubs say us
    endpoints = [
        flight.FlightEndpoint(flight.Ticket(ticket), [], expires) for ticket in plan.tickets
    ]
    return flight.FlightInfo(
        plan.schema,
        descriptor,
        endpoints,
        total_records=-1 if plan.rows is None else plan.rows,
        total_bytes=-1,
        ordered=True,
    )
