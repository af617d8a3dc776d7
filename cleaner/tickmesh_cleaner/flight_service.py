"""Quarantined rows over Arrow Flight, for plain pyarrow.

`FlightDescriptor.for_path("quarantine")` names all rows held back; a second part names those of one
job, or of one subject. Tickets are signed and expire.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import pyarrow as pa
from pyarrow import flight

from tickmesh.errors import UnimplementedError
from tickmesh_cleaner.domain.errors import InvalidArgumentError, QuarantineEmptyError
from tickmesh_cleaner.domain.quarantine import QuarantineFilter
from tickmesh_cleaner.quarantine_files import RECORD_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tickmesh_cleaner.domain.quarantine import QuarantineEntry
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
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


class QuarantineFlights:
    """The handlers of the cleaner's Flight port."""

    def __init__(
        self,
        store: CleanerStore,
        files: QuarantineFiles,
        *,
        signer: TicketSigner,
        clock: Clock,
    ) -> None:
        self._store = store
        self._files = files
        self._signer = signer
        self._clock = clock

    def put(
        self,
        _call: FlightCall,
        _descriptor: flight.FlightDescriptor,
        _reader: flight.MetadataRecordBatchReader,
        _writer: flight.FlightMetadataWriter,
    ) -> None:
        """Not served: rows reach the cleaner by jobs."""
        _refuse("DoPut")

    def exchange(
        self,
        _call: FlightCall,
        _descriptor: flight.FlightDescriptor,
        _reader: flight.MetadataRecordBatchReader,
        _writer: flight.MetadataRecordBatchWriter,
    ) -> None:
        """Not served: rows reach the cleaner by jobs."""
        _refuse("DoExchange")

    def info(self, _call: FlightCall, descriptor: flight.FlightDescriptor) -> flight.FlightInfo:
        """One endpoint: all rows the descriptor names, as they are when they are read."""
        path = _path_of(descriptor)
        selected = self._selected(path)
        ticket = self._signer.sign(
            json.dumps({"job_id": selected.job_id, "subject": selected.subject}).encode(),
            expires_ns=self._clock.now_ns() + _TICKET_NS,
        )
        endpoint = flight.FlightEndpoint(ticket, [])
        rows = self._store.quarantine.count(selected)
        return flight.FlightInfo(QUARANTINE_SCHEMA, descriptor, [endpoint], rows, -1)

    def schema(self, _call: FlightCall, descriptor: flight.FlightDescriptor) -> pa.Schema:
        """The columns, which are the same for all of them."""
        self._selected(_path_of(descriptor))
        return QUARANTINE_SCHEMA

    def flights(self, call: FlightCall, _criteria: bytes) -> Iterable[flight.FlightInfo]:
        """All rows, then those of each job, then those of each subject."""
        jobs, subjects = self._store.quarantine.jobs_and_subjects()
        for path in ([ROOT], *([ROOT, name] for name in (*jobs, *subjects))):
            yield self.info(call, flight.FlightDescriptor.for_path(*path))

    def get(self, call: FlightCall, ticket: flight.Ticket) -> flight.FlightDataStream:
        """The rows of a ticket, a page of the index at a time."""
        named = json.loads(self._signer.open(ticket.ticket))
        selected = QuarantineFilter(job_id=named["job_id"], subject=named["subject"])
        return call.generator_stream(QUARANTINE_SCHEMA, self._batches(call, selected))

    def action(self, _call: FlightCall, action_type: str, _body: bytes) -> Iterable[bytes]:
        """There are none."""
        _refuse(action_type)

    def actions(self, _call: FlightCall) -> Sequence[tuple[str, str]]:
        """There are none."""
        return ()

    def _selected(self, path: Sequence[str]) -> QuarantineFilter:
        if len(path) == 1:
            return QuarantineFilter()
        jobs, subjects = self._store.quarantine.jobs_and_subjects()
        if path[1] in jobs:
            return QuarantineFilter(job_id=path[1])
        if path[1] in subjects:
            return QuarantineFilter(subject=path[1])
        raise QuarantineEmptyError

    def _batches(self, call: FlightCall, selected: QuarantineFilter) -> Iterator[pa.RecordBatch]:
        after_id = 0
        while not (call.cancelled or call.draining):
            entries = self._store.quarantine.page(selected, after_id=after_id, limit=_ROWS_A_BATCH)
            if not entries:
                return
            after_id = entries[-1].id
            yield from rows_of(entries, self._files).to_batches()


def rows_of(entries: Sequence[QuarantineEntry], files: QuarantineFiles) -> pa.Table:
    """Entries with their records, as columns (`QUARANTINE_SCHEMA`)."""
    records = files.table(entries)
    columns: list[pa.Array[Any]] = [
        pa.array([getattr(entry, field.name) for entry in entries], field.type)
        for field in _INDEX_FIELDS
    ]
    columns += [records.column(field.name).combine_chunks() for field in _RECORD_FIELDS]
    seen = records.column("first_seen_ns").combine_chunks()
    columns.append(seen.cast(QUARANTINE_SCHEMA.field("first_seen_at").type))
    return pa.table(columns, schema=QUARANTINE_SCHEMA)


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
        f"the cleaner serves quarantined rows by do_get; it has no {method}",
        reason="UNKNOWN_METHOD",
        metadata={"method": method},
    )
