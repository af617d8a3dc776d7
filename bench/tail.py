"""Rows on their way into a live tail."""

from __future__ import annotations

import statistics
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import flight

from bench._measure import SECONDS, at_most, quantile, report
from bench._servers import mesh, scratch
from bench._ticks import SCHEMA, sliced, tick_batch
from tickmesh.api.tickstore.v1.commands_pb2 import PutAcknowledgement
from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh_serving.mesh import Mesh

BENCH = "tail"
_TAILED = "bench.tail"
_TAIL_ROWS_A_BATCH, _TAIL_ROWS_A_SECOND = 100, 100_000
_WARM_UP_BATCHES = 200
_PATIENCE_SECONDS = 10.0


def main() -> None:
    """Measure a tail."""
    with ExitStack() as stack:
        home = stack.enter_context(scratch()) / "home"
        running = stack.enter_context(mesh(home, "registry", "tickstore"))
        with RegistryClient(running.addresses["registry"]["grpc"]) as registry:
            registry.register(_TAILED, SCHEMA)
        store = flight.connect(f"grpc://{running.addresses['tickstore']['flight']}")
        _measure_tail(store, running, home)


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


if __name__ == "__main__":
    main()
