"""T6 through every tier: put over Flight, read from the log, sealed, settled, restarted, tailed."""

from __future__ import annotations

import decimal
import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from pyarrow import flight

from tickmesh.api.tickstore.v1 import tick_store_service_pb2
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

SUBJECT = "ticks.faithful"
UNIVERSE = 100_000
SCHEMA_TEXT = json.dumps(
    {
        "type": "object",
        "properties": {
            "ts": {"type": "string", "format": "date-time", "x-tick-role": "event_time"},
            "symbol": {
                "type": "string",
                "arrow": "dictionary<int32, utf8>",
                "x-tick-role": "symbol",
            },
            "id": {"type": "integer", "arrow": "uint64"},
            "price": {"type": "number", "arrow": "decimal128(38, 4)"},
            "note": {"type": "string"},
            "levels": {"type": "array", "items": {"type": "number"}},
            "venue": {"type": "object", "properties": {"name": {"type": "string"}}},
        },
        "required": ["ts", "symbol", "id"],
    }
)
SCHEMA = pa.schema(
    {
        "ts": pa.timestamp("ns", "UTC"),
        "symbol": pa.dictionary(pa.int32(), pa.string()),
        "id": pa.uint64(),
        "price": pa.decimal128(38, 4),
        "note": pa.string(),
        "levels": pa.list_(pa.float64()),
        "venue": pa.struct([("name", pa.string())]),
    }
)


def batch(symbols: list[str], *, first: int) -> pa.RecordBatch:
    """Rows at the edges of their types, one for each symbol; the dictionary is theirs alone."""
    rows = len(symbols)
    levels: list[list[float] | None] = [[1.5, -0.0], [], None]
    prices = [decimal.Decimal("9" * 34 + ".9999"), None, decimal.Decimal("-0.0001")]
    return pa.record_batch(
        [
            # Whole seconds and 123,456,789 ns: no float64 and no microsecond holds them.
            pa.array([(first + row) * 10**9 + 123_456_789 for row in range(rows)]).cast(
                SCHEMA.field("ts").type
            ),
            pa.array(symbols).dictionary_encode(),
            pa.array([2**64 - 1 - row for row in range(rows)], pa.uint64()),
            pa.array([prices[row % 3] for row in range(rows)], pa.decimal128(38, 4)),
            pa.array([None if row % 2 else f"Zürich {row}" for row in range(rows)], pa.string()),
            pa.array([levels[row % 3] for row in range(rows)], SCHEMA.field("levels").type),
            pa.array([[{"name": "X"}, None, {"name": None}][row % 3] for row in range(rows)]),
        ],
        schema=SCHEMA,
    )


def require_equal(back: pa.Table, sent: pa.Table, where: str) -> None:
    """Types, order and values; dictionaries by what they stand for."""
    for name in SCHEMA.names:
        one, other = back.column(name), sent.column(name)
        assert one.type == other.type or name in {"levels", "venue"}, (where, name, one.type)
        if pa.types.is_dictionary(one.type):
            one, other = one.cast(pa.string()), other.cast(pa.string())
        if name in {"levels", "venue"}:
            # Names and nullability of what is inside are the projection's.
            assert one.to_pylist() == other.to_pylist(), (where, name)
        else:
            assert one.equals(other), (where, name)


def act(mesh: Mesh, name: str, request: bytes) -> None:
    with flight.connect(f"grpc://{mesh.addresses['tickstore']['flight']}") as client:
        list(client.do_action(flight.Action(name, request)))


def test_t6_edges_of_types_come_back_equal_from_every_tier(tmp_path: Path) -> None:
    universe = [f"SYM{number:06d}" for number in range(UNIVERSE)]
    batches = [
        batch(universe, first=0),
        batch(["Z", "SYM000001", "Z"], first=UNIVERSE),
        batch([], first=0),
        batch(list(reversed(universe))[:1000], first=UNIVERSE + 3),
    ]
    sent = pa.Table.from_batches(batches)
    services = ("registry", "tickstore")
    flushed = tick_store_service_pb2.FlushDatasetRequest(dataset=SUBJECT).SerializeToString()
    compacted = tick_store_service_pb2.CompactDatasetRequest(dataset=SUBJECT).SerializeToString()
    with Mesh(tmp_path, services=services, free_ports=True) as mesh:
        with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
            registry.register(SUBJECT, SCHEMA_TEXT)
        addresses = mesh.addresses["tickstore"]
        with flight.connect(f"grpc://{addresses['flight']}") as plain:
            writer, _ = plain.do_put(flight.FlightDescriptor.for_path(SUBJECT), SCHEMA)
            for each in batches:
                writer.write_batch(each)
            writer.close()
        with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks:
            require_equal(ticks.read(SUBJECT), sent, "log")
            act(mesh, "FlushDataset", flushed)
            require_equal(ticks.read(SUBJECT), sent, "recent")
            act(mesh, "CompactDataset", compacted)
            require_equal(ticks.read(SUBJECT), sent, "settled")
    with Mesh(tmp_path, services=services, free_ports=True) as mesh:
        addresses = mesh.addresses["tickstore"]
        with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as ticks:
            require_equal(ticks.read(SUBJECT), sent, "after a restart")
            with ticks.tail(SUBJECT) as tail:
                seen: list[pa.RecordBatch] = []
                while sum(each.num_rows for each in seen) < sent.num_rows:
                    seen.append(next(tail).batch)
            require_equal(pa.Table.from_batches(seen), sent, "tail")
