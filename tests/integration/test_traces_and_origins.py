"""What travels beside the rows: trace contexts, source ranges, and who wrote for whom."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.support.governed_ticks import trades, trades_schema
from tests.support.origins import stored_origins
from tests.support.services import serving
from tickmesh._ticks.commands import put_command
from tickmesh._ticks.connection import TickConnection
from tickmesh._ticks.put_stream import PutStream
from tickmesh._wire.credentials import ClientCredentials
from tickmesh.api.tickstore.v1.commands_pb2 import PutMetadata, SourceRange
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient
from tickmesh_serving.tracing import Tracing
from tickmesh_tickstore.domain.stamps import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.integration

SUBJECT = "ticks.trades"
TRACES = [f"00-{number:032x}-{number:016x}-01" for number in (7, 8)]


def put_batches(addresses: Mapping[str, str]) -> None:
    """Two batches, each of a trace and a source range of its own, written for somebody."""
    connection = TickConnection(
        address=addresses["grpc"],
        flight_address=addresses["flight"],
        credentials=ClientCredentials(),
    )
    with TickClient(addresses["grpc"], flight_address=addresses["flight"]) as client:
        producer = client.open_producer(SUBJECT, "feed")
    command = put_command(
        SUBJECT,
        producer_id=producer.producer_id,
        producer_epoch=producer.epoch,
        on_behalf_of="alice",
    )
    (batch,) = trades(3).to_batches()
    stream = PutStream(connection, command, batch.schema)
    for sequence, traceparent in enumerate(TRACES, 1):
        stream.write(
            batch,
            PutMetadata(
                sequence=sequence,
                traceparent=traceparent,
                source_range=SourceRange(source="digest", start=f"{sequence}", end="end"),
            ),
        )
    stream.close()
    assert stream.acknowledged.rows == 6
    connection.close()


async def test_a_batchs_trace_reaches_the_servers_span_and_its_principals_the_store(
    tmp_path: Path,
) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    async with serving("registry", tmp_path) as registry:
        address = registry.addresses["grpc"]
        async with serving(
            "tickstore", tmp_path, registry=address, tracing=Tracing(provider)
        ) as store:

            def work() -> None:
                with RegistryClient(address) as client:
                    client.register(SUBJECT, trades_schema())
                put_batches(store.addresses)

            await asyncio.to_thread(work)
    assert stored_origins(tmp_path / "tickstore", SUBJECT) == {Origin("anonymous", "alice")}
    spans = {span.name: span for span in exporter.get_finished_spans()}
    links = spans["DoPut"].links
    assert [f"{link.context.trace_id:032x}" for link in links] == [each[3:35] for each in TRACES]
    assert dict(links[1].attributes or {}) == {
        "tickmesh.sequence": "2",
        "tickmesh.source": "digest",
        "tickmesh.source_range": "[2, end)",
    }


async def test_tracing_is_off_unless_it_is_asked_for(tmp_path: Path) -> None:
    async with serving("registry", tmp_path) as registry:
        assert not registry._tracing.enabled
