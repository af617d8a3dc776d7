"""What is really stored, read with nothing but plain pyarrow.

Counters can lie; rows that come back cannot. Nothing here imports the tickmesh client.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import flight

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Rows of the tick store, and how many of them repeat an earlier trade id."""

    rows: int
    repeated: int
    first: pa.Table


def fetch(address: str, path: Sequence[str], *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read everything a Flight server holds under a path, endpoint by endpoint."""
    with flight.connect(f"grpc://{address}") as client:
        info = client.get_flight_info(flight.FlightDescriptor.for_path(*path))
        tables = [client.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    table = pa.concat_tables(tables) if tables else info.schema.empty_table()
    return table if columns is None else table.select(list(columns))


def stored_rows(address: str, dataset: str) -> StoredRows:
    """Count the stored rows, and those that repeat a trade id."""
    table = fetch(address, [dataset])
    distinct = pc.count_distinct(table.column("trade_id")).as_py()
    return StoredRows(table.num_rows, table.num_rows - distinct, table.slice(0, 3))


def quarantined_rows(address: str, *, state: str = "quarantined") -> int:
    """Count the rows in quarantine that are in `state`."""
    table = fetch(address, ["quarantine"], columns=["state"])
    return table.filter(pc.field("state") == state).num_rows


def count_records(path: str) -> int:
    """Count the lines of a CSV file that has a header."""
    with open(path, "rb") as file:  # noqa: PTH123 - read in blocks, as bytes
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) - 1
