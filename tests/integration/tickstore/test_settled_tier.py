"""Settled rows over Flight, by plain pyarrow: equal rows, clean errors, the same positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from google.rpc import error_details_pb2, status_pb2
from pyarrow import flight

from tests.support.governed_ticks import decoded, trades, trades_schema
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

ROWS = 300_000


def test_t6_t7_settled_rows_come_back_as_they_were_sent(
    plain: flight.FlightClient, ticks: TickClient, subject: str
) -> None:
    descriptor = flight.FlightDescriptor.for_path(subject)
    sent = [trades(ROWS, start_ns=5 * ROWS), trades(1_000), trades(10, start_ns=7)]
    writer, _ = plain.do_put(descriptor, sent[0].schema)
    for table in sent:
        writer.write_table(table, max_chunksize=20_000)
    writer.close()
    planned = plain.get_flight_info(descriptor)
    dataset = ticks.compact(subject, timeout_seconds=120)
    assert {tier.name: tier.row_count for tier in dataset.tiers}["settled"] == ROWS + 1_010
    for info in (planned, plain.get_flight_info(descriptor)):
        parts = [plain.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
        assert decoded(pa.concat_tables(parts)).equals(decoded(pa.concat_tables(sent)))
    middle = ticks.read(subject, start=5 * ROWS + 1_000, end=5 * ROWS + 2_000)
    whole = decoded(sent[0])
    times = whole.column("ts").cast(pa.int64()).to_pylist()
    wanted = [5 * ROWS + 1_000 <= time < 5 * ROWS + 2_000 for time in times]
    assert decoded(middle).equals(whole.filter(pa.array(wanted)).combine_chunks())


def test_damage_met_in_mid_stream_is_told_without_a_traceback_or_a_path(tmp_path: Path) -> None:
    subject = "ticks.trades"
    with Mesh(tmp_path, services=("registry", "tickstore"), free_ports=True) as mesh:
        with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
            registry.register(subject, trades_schema())
        addresses = mesh.addresses["tickstore"]
        with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as client:
            client.put(subject, trades(ROWS))
            client.compact(subject, timeout_seconds=120)
        (path,) = tmp_path.rglob("*.parquet")
        content = bytearray(path.read_bytes())
        # The second row group: the first one is served before the damage is met.
        for place in range(len(content) // 2, len(content) * 3 // 4, 50):
            content[place] ^= 0x55
        path.write_bytes(content)
        with flight.connect(f"grpc://{addresses['flight']}") as plain:
            info = plain.get_flight_info(flight.FlightDescriptor.for_path(subject))
            (endpoint,) = info.endpoints
            with pytest.raises(flight.FlightError) as refused:
                plain.do_get(endpoint.ticket).read_all()
            status = status_pb2.Status.FromString(refused.value.extra_info)
            reason = error_details_pb2.ErrorInfo()
            assert any(detail.Unpack(reason) for detail in status.details)
            assert reason.reason == "DATASET_DAMAGED"
            for secret in ("Traceback", str(tmp_path), ".parquet"):
                assert secret not in str(refused.value)
            assert plain.get_flight_info(flight.FlightDescriptor.for_path(subject)).endpoints
