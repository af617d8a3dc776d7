"""How soon a put is seen by a live tail, with a hundred thousand ticks a second offered.

Beside the moment of sight stands the moment of the durable acknowledgement: what is beyond it is
the tail's own share.
"""

from __future__ import annotations

import statistics
import threading
import time
from typing import TYPE_CHECKING

from pyarrow import flight

from bench._measure import SECONDS, at_most, quantile, report
from bench._servers import mesh, scratch
from bench._ticks import SCHEMA, sliced, tick_batch
from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    from tickmesh._ticks.tail import Tail

BENCH = "tail"
_SUBJECT = "bench.tail"
_ROWS_A_SECOND, _ROWS_A_BATCH = 100_000, 500
_WARM_UP = 100


def main() -> None:
    """Offer ticks at an even pace; every batch is timed when put, acknowledged and seen."""
    batches = int(max(SECONDS, 5) * _ROWS_A_SECOND / _ROWS_A_BATCH)
    with scratch() as folder, mesh(folder, "registry", "tickstore") as running:
        with RegistryClient(running.addresses["registry"]["grpc"]) as registry:
            registry.register(_SUBJECT, SCHEMA)
        config = load_client_config(home=folder, environ=running.client_environment)
        address = f"grpc://{running.addresses['tickstore']['flight']}"
        with TickClient(config=config) as client, flight.connect(address) as plain:
            client.put(_SUBJECT, tick_batch(1))
            with client.tail(_SUBJECT) as tail:
                next(tail)  # it follows from now on
                put, acknowledged, seen = _offer(plain, tail, batches)
    # Cumulative: the moment at which so many batches were covered.
    latency = [sight - sent for sent, sight in zip(put, seen, strict=True)][_WARM_UP:]
    beyond = [sight - told for told, sight in zip(acknowledged, seen, strict=True)][_WARM_UP:]
    offered = batches * _ROWS_A_BATCH / (put[-1] - put[0])
    report(BENCH, "ticks_offered", offered, "rows/s")
    report(
        BENCH, "seen_beyond_commit_p50", statistics.median(beyond) * 1e3, "ms", target=at_most(2)
    )
    report(BENCH, "put_to_seen_p50", statistics.median(latency) * 1e3, "ms")
    report(BENCH, "put_to_seen_p99", quantile(latency, 0.99) * 1e3, "ms", target=at_most(10))


def _offer(
    client: flight.FlightClient, tail: Tail, count: int
) -> tuple[list[float], list[float], list[float]]:
    """When each batch was put, acknowledged as durable, and seen; seconds of one clock."""
    batches = sliced(tick_batch(_ROWS_A_BATCH * count), _ROWS_A_BATCH)
    descriptor = flight.FlightDescriptor.for_path(_SUBJECT)
    writer, acknowledgements = client.do_put(descriptor, batches[0].schema)
    put: list[float] = []
    acknowledged: list[float] = []
    seen: list[float] = []

    def hear() -> None:
        while len(acknowledged) < count:
            read = acknowledgements.read()  # type: ignore[attr-defined]  # the stubs take it for a reader of batches
            told = commands_pb2.PutAcknowledgement.FromString(read.to_pybytes())
            now = time.perf_counter()
            acknowledged.extend([now] * (told.through_sequence - len(acknowledged)))

    def watch() -> None:
        rows = 0
        while len(seen) < count:
            rows += next(tail).batch.num_rows
            now = time.perf_counter()
            seen.extend([now] * (rows // _ROWS_A_BATCH - len(seen)))

    threads = [threading.Thread(target=run, daemon=True) for run in (hear, watch)]
    for thread in threads:
        thread.start()
    begun = time.perf_counter()
    for number, batch in enumerate(batches):
        # An even pace: a late batch is not made up for by a burst of the clock.
        time.sleep(max(0.0, begun + number * _ROWS_A_BATCH / _ROWS_A_SECOND - time.perf_counter()))
        put.append(time.perf_counter())
        writer.write_batch(batch)
    for thread in threads:
        thread.join(60)
    writer.close()
    return put, acknowledged, seen


if __name__ == "__main__":
    main()
