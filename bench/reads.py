"""Full scans beside a Flight get from memory, and rows on their way into a live tail."""

from __future__ import annotations

import statistics
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import flight

from bench._measure import SECONDS, at_most, medians, quantile, ratio_at_least, report, timed
from bench._servers import baseline_server, mesh, scratch
from bench._ticks import SCHEMA, sliced, tick_batch
from tickmesh.api.tickstore.v1.commands_pb2 import PutAcknowledgement
from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh_serving.mesh import Mesh

BENCH = "reads"
_SCAN_ROWS = 6_553_600
_SCANNED, _TAILED = "bench.scan", "bench.tail"
_TAIL_ROWS_A_BATCH, _TAIL_ROWS_A_SECOND = 100, 100_000
_WARM_UP_BATCHES = 200
_PATIENCE_SECONDS = 10.0


def main() -> None:
    """Measure scans, then a tail."""
    with ExitStack() as stack:
        home = stack.enter_context(scratch()) / "home"
        running = stack.enter_context(mesh(home, "registry", "tickstore"))
        with RegistryClient(running.addresses["registry"]["grpc"]) as registry:
            registry.register(_SCANNED, SCHEMA)
            registry.register(_TAILED, SCHEMA)
        store = flight.connect(f"grpc://{running.addresses['tickstore']['flight']}")
        address = stack.enter_context(baseline_server("_flight_baseline", "memory", _SCAN_ROWS))
        memory = flight.connect(f"grpc://{address}")
        _measure_scan(store, memory)
        _measure_tail(store, running, home)


def _measure_scan(store: flight.FlightClient, memory: flight.FlightClient) -> None:
    writer, _ = store.do_put(_path(_SCANNED), tick_batch(0).schema)
    for batch in sliced(tick_batch(_SCAN_ROWS), 65_536):
        writer.write_batch(batch)
    writer.close()

    def scan() -> None:
        info = store.get_flight_info(_path(_SCANNED))
        assert sum(_drain(store, endpoint.ticket) for endpoint in info.endpoints) == _SCAN_ROWS

    def get() -> None:
        assert _drain(memory, flight.Ticket(b"all")) == _SCAN_ROWS

    seconds = medians({"scan": timed(scan), "get": timed(get)})
    report(
        BENCH,
        "full_scan_recent_tier_over_get_from_memory",
        _SCAN_ROWS / seconds["scan"] / 1e6,
        "M rows/s",
        baseline=_SCAN_ROWS / seconds["get"] / 1e6,
        target=ratio_at_least(0.7),
    )


@dataclass(slots=True)
class _Journey:
    """When each message was sent, acknowledged as durable, and seen by the tail; ns."""

    sent: list[int] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    seen: list[int] = field(default_factory=list)
    all_seen: threading.Event = field(default_factory=threading.Event)


def _measure_tail(store: flight.FlightClient, running: Mesh, home: Path) -> None:
    count = _WARM_UP_BATCHES + int(SECONDS * _TAIL_ROWS_A_SECOND / _TAIL_ROWS_A_BATCH)
    batches = sliced(tick_batch(count * _TAIL_ROWS_A_BATCH), _TAIL_ROWS_A_BATCH)
    journey = _Journey()
    writer, reader = store.do_put(_path(_TAILED), batches[0].schema)
    config = load_client_config(home=home, environ=running.client_environment)
    with TickClient(config=config) as client:
        client.create_dataset(_TAILED)
        with client.tail(_TAILED) as tail:
            threads = [
                threading.Thread(target=_acknowledge, args=(reader, journey, count), daemon=True),
                threading.Thread(target=_follow, args=(tail, journey, count), daemon=True),
            ]
            for thread in threads:
                thread.start()
            _offer(writer, batches, journey)
            writer.close()
            assert journey.all_seen.wait(_PATIENCE_SECONDS), f"{len(journey.seen)} of {count} seen"
            threads[0].join(_PATIENCE_SECONDS)
    took = [(seen - sent) / 1e6 for sent, seen in zip(journey.sent, journey.seen, strict=True)][
        _WARM_UP_BATCHES:
    ]
    durable = [
        (acknowledged - sent) / 1e6
        for sent, acknowledged in zip(journey.sent, journey.acknowledged, strict=True)
    ][_WARM_UP_BATCHES:]
    offered = (count - 1) * _TAIL_ROWS_A_BATCH / (journey.sent[-1] - journey.sent[0]) * 1e9
    report(BENCH, "tail_offered", offered, "rows/s")
    beyond = [seen - known for seen, known in zip(took, durable, strict=True)]
    report(BENCH, "tail_beyond_acknowledgement_p50", quantile(beyond, 0.5), "ms", target=at_most(2))
    report(
        BENCH, "tail_beyond_acknowledgement_p99", quantile(beyond, 0.99), "ms", target=at_most(10)
    )
    report(
        BENCH,
        "put_to_tail_p50_over_acknowledgement",
        statistics.median(took),
        "ms",
        baseline=statistics.median(durable),
    )
    report(
        BENCH,
        "put_to_tail_p99_over_acknowledgement",
        quantile(took, 0.99),
        "ms",
        baseline=quantile(durable, 0.99),
    )


def _offer(
    writer: flight.FlightStreamWriter, batches: list[pa.RecordBatch], journey: _Journey
) -> None:
    """Sends at the offered rate, whatever comes back."""
    pause = _TAIL_ROWS_A_BATCH / _TAIL_ROWS_A_SECOND
    begun = time.perf_counter()
    for number, batch in enumerate(batches):
        ahead = begun + number * pause - time.perf_counter()
        if ahead > 0:
            time.sleep(ahead)
        journey.sent.append(time.perf_counter_ns())
        writer.write_batch(batch)


def _acknowledge(reader: Any, journey: _Journey, count: int) -> None:
    while len(journey.acknowledged) < count:
        buffer = reader.read()
        now_ns = time.perf_counter_ns()
        if buffer is None:
            return
        through = PutAcknowledgement.FromString(buffer.to_pybytes()).through_sequence
        journey.acknowledged.extend([now_ns] * (through - len(journey.acknowledged)))


def _follow(tail: Any, journey: _Journey, count: int) -> None:
    rows = 0
    for item in tail:
        now_ns = time.perf_counter_ns()
        rows += item.batch.num_rows
        messages = rows // _TAIL_ROWS_A_BATCH
        journey.seen.extend([now_ns] * (messages - len(journey.seen)))
        if messages == count:
            journey.all_seen.set()
            return


def _path(dataset: str) -> flight.FlightDescriptor:
    return flight.FlightDescriptor.for_path(dataset)


def _drain(client: flight.FlightClient, ticket: flight.Ticket) -> int:
    rows = 0
    for chunk in client.do_get(ticket):
        assert chunk.data is not None
        rows += chunk.data.num_rows
    return rows


if __name__ == "__main__":
    main()
