"""Reads of one snapshot: its endpoints side by side, their rows in order."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh._ticks.commands import command_descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyarrow import flight

    from tickmesh._ticks.connection import TickConnection
    from tickmesh.api.tickstore.v1 import commands_pb2

_PARALLEL_ENDPOINTS = 4


def read_table(connection: TickConnection, command: commands_pb2.ReadCommand) -> pa.Table:
    """Read all endpoints, some at a time, into one table in the answer's order."""
    info = _plan(connection, command)

    def read(endpoint: flight.FlightEndpoint) -> pa.Table:
        with connection.errors():
            return connection.flight.do_get(endpoint.ticket, connection.options()).read_all()

    if not info.endpoints:
        return info.schema.empty_table()
    if len(info.endpoints) == 1:
        return read(info.endpoints[0])
    with ThreadPoolExecutor(
        min(_PARALLEL_ENDPOINTS, len(info.endpoints)), thread_name_prefix="tick-read"
    ) as threads:
        return pa.concat_tables(threads.map(read, info.endpoints))


def stream_batches(
    connection: TickConnection, command: commands_pb2.ReadCommand
) -> pa.RecordBatchReader:
    """Read one endpoint after the other, a batch at a time, in bounded memory."""
    info = _plan(connection, command)

    def batches() -> Iterator[pa.RecordBatch]:
        for endpoint in info.endpoints:
            with connection.errors():
                reader = connection.flight.do_get(endpoint.ticket, connection.options())
                try:
                    for chunk in reader:
                        if chunk.data is not None:
                            yield chunk.data
                finally:
                    reader.cancel()

    return pa.RecordBatchReader.from_batches(info.schema, batches())


def _plan(connection: TickConnection, command: commands_pb2.ReadCommand) -> flight.FlightInfo:
    with connection.errors():
        return connection.flight.get_flight_info(
            command_descriptor(command), connection.options(timeout_seconds=60.0)
        )
