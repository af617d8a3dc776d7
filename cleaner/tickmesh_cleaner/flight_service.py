"""Quarantined rows over Arrow Flight, for plain pyarrow.

`FlightDescriptor.for_path("quarantine")` names all rows held back; a second part names those of one
job, or of one subject. Tickets are signed and expire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa
from pyarrow import flight

from tickmesh.api.cleaner.v1 import flight_pb2, job_pb2
from tickmesh.errors import UnimplementedError
from tickmesh_cleaner.domain.errors import (
    DrainingError,
    InvalidArgumentError,
    QuarantineEmptyError,
)
from tickmesh_cleaner.flight_commands import unpack
from tickmesh_cleaner.messages import filter_of
from tickmesh_cleaner.quarantine_files import RECORD_SCHEMA
from tickmesh_cleaner.quarantine_reading import QuarantineReader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tickmesh_cleaner.domain.quarantine import QuarantineEntry, QuarantineFilter
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
    from tickmesh_cleaner.row_flights import RowFlights
    from tickmesh_cleaner.store import CleanerStore
    from tickmesh_serving.clock import Clock
    from tickmesh_serving.flight import FlightCall
    from tickmesh_serving.tickets import TicketSigner

ROOT = "quarantine"
_TICKET_NS = 15 * 60 * 1_000_000_000
_ROWS_A_BATCH = 4_096

_INDEX_FIELDS: list[pa.Field[Any]] = [
    pa.field("id", pa.int64(), nullable=False),
    pa.field("job_id", pa.string(), nullable=False),
    pa.field("subject", pa.string(), nullable=False),
    pa.field("state", pa.string(), nullable=False),
    pa.field("replay_job_id", pa.string(), nullable=False),
    pa.field("discarded_by", pa.string()),
    pa.field("discard_comment", pa.string()),
    pa.field("discarded_at", pa.timestamp("ns", tz="UTC")),
]
_RECORD_FIELDS: list[pa.Field[Any]] = [
    field for field in RECORD_SCHEMA if field.name != "first_seen_ns"
]

QUARANTINE_SCHEMA = pa.schema(
    [
        *_INDEX_FIELDS,
        *_RECORD_FIELDS,
        pa.field("first_seen_at", pa.timestamp("ns", tz="UTC"), nullable=False),
    ]
)
"""The columns of quarantined rows on the wire."""


class CleanerFlights:
    """The handlers of the cleaner's Flight port."""

    def __init__(self, quarantine: QuarantineFlights, rows: RowFlights) -> None:
        self.put = rows.put
        self.exchange = rows.exchange
        self.get = quarantine.get
        self.info = quarantine.info
        self.schema = quarantine.schema
        self.flights = quarantine.flights
        self.action = quarantine.action
        self.actions = quarantine.actions


class QuarantineFlights:
    """Serves quarantined rows."""

    def __init__(
        self,
        store: CleanerStore,
        files: QuarantineFiles,
        *,
        signer: TicketSigner,
        clock: Clock,
    ) -> None:
        self._store = store
        self._reader = QuarantineReader(store.quarantine, files)
        self._signer = signer
        self._clock = clock

    def info(self, _call: FlightCall, descriptor: flight.FlightDescriptor) -> flight.FlightInfo:
        """One endpoint: all rows the descriptor names, as they are when they are read."""
        command = self._command(descriptor)
        selected = filter_of(command.filter)
        ticket = self._signer.sign(
            command.SerializeToString(), expires_ns=self._clock.now_ns() + _TICKET_NS
        )
        endpoint = flight.FlightEndpoint(ticket, [])
        rows = -1 if command.after_id else self._store.quarantine.count(selected)
        return flight.FlightInfo(QUARANTINE_SCHEMA, descriptor, [endpoint], rows, -1)

    def schema(self, _call: FlightCall, descriptor: flight.FlightDescriptor) -> pa.Schema:
        """The columns, which are the same for all of them."""
        self._command(descriptor)
        return QUARANTINE_SCHEMA

    def flights(self, call: FlightCall, _criteria: bytes) -> Iterable[flight.FlightInfo]:
        """All rows, then those of each job, then those of each subject."""
        jobs, subjects = self._store.quarantine.jobs_and_subjects()
        for path in ([ROOT], *([ROOT, name] for name in (*jobs, *subjects))):
            yield self.info(call, flight.FlightDescriptor.for_path(*path))

    def get(self, call: FlightCall, ticket: flight.Ticket) -> flight.FlightDataStream:
        """The rows of a ticket, a page of the index at a time."""
        command = flight_pb2.QuarantineCommand.FromString(self._signer.open(ticket.ticket))
        selected = filter_of(command.filter)
        batches = self._batches(call, selected, command.after_id)
        return call.generator_stream(QUARANTINE_SCHEMA, batches)

    def action(self, _call: FlightCall, action_type: str, _body: bytes) -> Iterable[bytes]:
        """There are none."""
        _refuse(action_type)

    def actions(self, _call: FlightCall) -> Sequence[tuple[str, str]]:
        """There are none."""
        return ()

    def _command(self, descriptor: flight.FlightDescriptor) -> flight_pb2.QuarantineCommand:
        if descriptor.descriptor_type == flight.DescriptorType.CMD:
            command = unpack(descriptor.command or b"", flight_pb2.QuarantineCommand)
            filter_of(command.filter)
            return command
        path = _path_of(descriptor)
        if len(path) == 1:
            return flight_pb2.QuarantineCommand()
        jobs, subjects = self._store.quarantine.jobs_and_subjects()
        if path[1] in jobs:
            selected = job_pb2.QuarantineFilter(job_id=path[1])
        elif path[1] in subjects:
            selected = job_pb2.QuarantineFilter(subject=path[1])
        else:
            raise QuarantineEmptyError
        return flight_pb2.QuarantineCommand(filter=selected)

    def _batches(
        self, call: FlightCall, selected: QuarantineFilter, after_id: int
    ) -> Iterator[pa.RecordBatch]:
        while not call.cancelled:
            entries = self._store.quarantine.page(selected, after_id=after_id, limit=_ROWS_A_BATCH)
            if not entries:
                return
            if call.draining:
                # A stream that merely ended here would pass for a whole one.
                raise DrainingError(
                    f"rows after id {after_id} were not sent; ask for them again in a moment",
                    afterId=str(after_id),
                )
            after_id = entries[-1].id
            yield from rows_of(entries, self._reader).to_batches()


def rows_of(entries: Sequence[QuarantineEntry], reader: QuarantineReader) -> pa.Table:
    """Entries that are still there, with their records, as columns (`QUARANTINE_SCHEMA`)."""
    entries, records = reader.table(entries)
    columns: list[pa.Array[Any]] = [
        pa.array([_cell(entry, field.name) for entry in entries], field.type)
        for field in _INDEX_FIELDS
    ]
    columns += [records.column(field.name).combine_chunks() for field in _RECORD_FIELDS]
    seen = records.column("first_seen_ns").combine_chunks()
    columns.append(seen.cast(QUARANTINE_SCHEMA.field("first_seen_at").type))
    return pa.table(columns, schema=QUARANTINE_SCHEMA)


def _cell(entry: QuarantineEntry, name: str) -> Any:
    discard = entry.discard
    match name:
        case "discarded_by":
            return discard and (discard.on_behalf_of or discard.principal)
        case "discard_comment":
            return discard and discard.comment
        case "discarded_at":
            return discard and discard.at_ns
        case _:
            return getattr(entry, name)


def _path_of(descriptor: flight.FlightDescriptor) -> list[str]:
    path = [part.decode("utf-8", "replace") for part in descriptor.path or ()]
    if not 1 <= len(path) <= 2 or path[0] != ROOT:
        raise InvalidArgumentError(
            "descriptor",
            'expected the path ("quarantine"), or ("quarantine", a job id or a subject)',
        )
    return path


def _refuse(method: str) -> NoReturn:
    raise UnimplementedError(
        "the cleaner cleans rows by do_put, judges them by do_exchange and serves quarantined "
        f"ones by do_get; it has no {method}",
        reason="UNKNOWN_METHOD",
        metadata={"method": method},
    )
