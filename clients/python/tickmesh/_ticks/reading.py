"""Reads of one snapshot: its endpoints side by side, their rows in order.

Every endpoint that is read has a connection of its own: receiving is bound by copying out of one
connection, so a second one is what a second core needs. How far reading runs ahead of the consumer
is bounded in batches; behind that HTTP/2 holds the store back.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh._ticks.commands import command_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from google.protobuf.message import Message
    from pyarrow import flight

    from tickmesh._ticks.connection import TickConnection

PARALLEL_ENDPOINTS = 4
"""Endpoints read at a time."""
BATCHES_AHEAD = 4
"""Batches of each endpoint held for the consumer; batches are near 4 MiB at most."""
_PLAN_SECONDS = 60.0


def read_table(connection: TickConnection, command: Message) -> pa.Table:
    """Read all endpoints, some at a time, into one table in the answer's order.

    Raises:
        TickmeshError: the read was refused or failed; nothing of it is returned.
    """
    info = _plan(connection, command)

    def read(numbered: tuple[int, flight.FlightEndpoint]) -> pa.Table:
        number, endpoint = numbered
        client = connection.flight_beside(number % PARALLEL_ENDPOINTS)
        with connection.errors():
            reader = client.do_get(endpoint.ticket, connection.options())
            table: pa.Table = reader.read_all()
            return table

    endpoints = list(enumerate(info.endpoints))
    if not endpoints:
        return info.schema.empty_table()
    if len(endpoints) == 1:
        return read(endpoints[0])
    with ThreadPoolExecutor(
        min(PARALLEL_ENDPOINTS, len(endpoints)), thread_name_prefix="tick-read"
    ) as threads:
        return pa.concat_tables(threads.map(read, endpoints))


def stream_batches(connection: TickConnection, command: Message) -> pa.RecordBatchReader:
    """Read batch by batch in the answer's order and bounded memory.

    Raises:
        TickmeshError: the read was refused; reading the batches raises what fails later.
    """
    info = _plan(connection, command)
    endpoints = info.endpoints
    batches = (
        _one_after_the_other(connection, endpoints)
        if len(endpoints) < 2
        else _side_by_side(connection, endpoints)
    )
    return pa.RecordBatchReader.from_batches(info.schema, batches)


def _one_after_the_other(
    connection: TickConnection, endpoints: Sequence[flight.FlightEndpoint]
) -> Iterator[pa.RecordBatch]:
    for endpoint in endpoints:
        with connection.errors():
            reader = connection.flight.do_get(endpoint.ticket, connection.options())
            try:
                for chunk in reader:
                    if chunk.data is not None:
                        yield chunk.data
            finally:
                reader.cancel()


def _side_by_side(
    connection: TickConnection, endpoints: Sequence[flight.FlightEndpoint]
) -> Iterator[pa.RecordBatch]:
    """While the batches of one endpoint are taken, those of the next ones are fetched."""
    coming = enumerate(endpoints)
    ahead = deque(_ahead(connection, coming, PARALLEL_ENDPOINTS))
    try:
        while ahead:
            yield from ahead[0].batches()
            ahead.popleft().close()
            ahead.extend(_ahead(connection, coming, 1))
    finally:
        for each in ahead:
            each.close()


def _ahead(
    connection: TickConnection, coming: Iterator[tuple[int, flight.FlightEndpoint]], count: int
) -> Iterator[_ReadAhead]:
    for number, endpoint in islice(coming, count):
        yield _ReadAhead(connection, endpoint, number % PARALLEL_ENDPOINTS)


class _ReadAhead:
    """One endpoint, read by a thread into a bounded queue."""

    def __init__(
        self, connection: TickConnection, endpoint: flight.FlightEndpoint, place: int
    ) -> None:
        self._connection = connection
        self._endpoint = endpoint
        self._client = connection.flight_beside(place)
        self._queue: queue.Queue[pa.RecordBatch | Exception | None] = queue.Queue(BATCHES_AHEAD)
        self._closed = threading.Event()
        self._reader: flight.FlightStreamReader | None = None
        self._thread = threading.Thread(target=self._run, name="tick-read", daemon=True)
        self._thread.start()

    def batches(self) -> Iterator[pa.RecordBatch]:
        while (item := self._queue.get()) is not None:
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        """End reading. Safe to call twice."""
        self._closed.set()
        while self._thread.is_alive():
            # The thread may be waiting for rows, or for room.
            if self._reader is not None:
                self._reader.cancel()
            with suppress(queue.Empty):
                self._queue.get_nowait()
            self._thread.join(0.01)

    def _run(self) -> None:
        try:
            with self._connection.errors():
                self._reader = self._client.do_get(
                    self._endpoint.ticket, self._connection.options()
                )
                self._pump(self._reader)
        except Exception as error:  # noqa: BLE001 — raised where the batches are taken
            self._queue.put(error)
        else:
            self._queue.put(None)

    def _pump(self, reader: flight.FlightStreamReader) -> None:
        for chunk in reader:
            if self._closed.is_set():
                return
            if chunk.data is not None:
                self._queue.put(chunk.data)


def _plan(connection: TickConnection, command: Message) -> flight.FlightInfo:
    with connection.errors():
        return connection.flight.get_flight_info(
            command_descriptor(command), connection.options(timeout_seconds=_PLAN_SECONDS)
        )
