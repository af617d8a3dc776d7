"""Governed durable puts and full scans over Flight, beside servers that promise nothing."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyarrow import flight

from bench._tick_rows import SCHEMA, sliced, tick_batch
from tickmesh.registry import RegistryClient
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pyarrow as pa

_ROUNDS = 7
_PUTS = {65_536: (2_621_440, 0.8), 1_024: (1_048_576, 1.5), 64: (131_072, 1.3)}
"""Rows a batch: rows a round, and the target ratio to the naive server."""
_SCAN_ROWS = 6_553_600
_SCAN_TARGET = 0.7
_ACKNOWLEDGED_PUTS = 500
_ACKNOWLEDGEMENT_TARGET_MILLISECONDS = 10.0


def main() -> int:
    """Measure; the exit code is 0 whether or not a target is reached."""
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=".")))
        mesh = stack.enter_context(
            Mesh(scratch / "home", services=("registry", "tickstore"), free_ports=True)
        )
        with RegistryClient(mesh.addresses["registry"]["grpc"]) as registry:
            for subject in ("bench.puts", "bench.scan", "bench.acknowledged"):
                registry.register(subject, SCHEMA)
        store = flight.connect(f"grpc://{mesh.addresses['tickstore']['flight']}")
        servers = {
            kind: stack.enter_context(_baseline(kind, scratch))
            for kind in ("naive", "discard", "memory")
        }
        for rows_a_batch in _PUTS:
            _measure_puts(rows_a_batch, store, servers)
        _measure_acknowledgements(store)
        _measure_scan(store, servers["memory"])
    return 0


def _measure_puts(
    rows_a_batch: int, store: flight.FlightClient, servers: dict[str, flight.FlightClient]
) -> None:
    rows, target = _PUTS[rows_a_batch]
    batches = sliced(tick_batch(rows), rows_a_batch)
    seconds = _interleaved(
        {
            "governed": lambda: _put(store, "bench.puts", batches),
            "naive": lambda: _put(servers["naive"], "any", batches),
            "discard": lambda: _put(servers["discard"], "any", batches),
        }
    )
    rates = {kind: rows / each / 1e6 for kind, each in seconds.items()}
    metric = f"governed_durable_put_{rows_a_batch}_rows"
    _report(metric, rates["governed"], "M rows/s", rates["naive"], target)
    _report(f"{metric}_against_discard", rates["governed"], "M rows/s", rates["discard"], None)


def _measure_acknowledgements(store: flight.FlightClient) -> None:
    batches = sliced(tick_batch(64 * _ACKNOWLEDGED_PUTS), 64)
    writer, reader = store.do_put(
        flight.FlightDescriptor.for_path("bench.acknowledged"), batches[0].schema
    )
    acknowledgements: Any = reader  # the stubs take it for a reader of batches
    took: list[float] = []
    for batch in batches:
        started = time.perf_counter()
        writer.write_batch(batch)
        acknowledgements.read()
        took.append((time.perf_counter() - started) * 1e3)
    writer.close()
    p99 = statistics.quantiles(took, n=100)[98]
    target = _ACKNOWLEDGEMENT_TARGET_MILLISECONDS
    _line("acknowledged_put_64_rows_p50", statistics.median(took), "ms", None, None, None, None)
    _line("acknowledged_put_64_rows_p99", p99, "ms", None, None, target, p99 <= target)


def _measure_scan(store: flight.FlightClient, memory: flight.FlightClient) -> None:
    batches = sliced(tick_batch(_SCAN_ROWS), 65_536)
    _put(store, "bench.scan", batches)

    def scan() -> None:
        info = store.get_flight_info(flight.FlightDescriptor.for_path("bench.scan"))
        rows = sum(_drain(store, endpoint.ticket) for endpoint in info.endpoints)
        assert rows == _SCAN_ROWS

    def get() -> None:
        assert _drain(memory, flight.Ticket(b"all")) == _SCAN_ROWS

    seconds = _interleaved({"scan": scan, "get": get})
    rates = {kind: _SCAN_ROWS / each / 1e6 for kind, each in seconds.items()}
    _report("full_scan_recent_tier", rates["scan"], "M rows/s", rates["get"], _SCAN_TARGET)


def _put(client: flight.FlightClient, name: str, batches: Sequence[pa.RecordBatch]) -> None:
    """Returns once the server has handled all: durable where it promises that."""
    writer, _ = client.do_put(flight.FlightDescriptor.for_path(name), batches[0].schema)
    for batch in batches:
        writer.write_batch(batch)
    writer.close()


def _drain(client: flight.FlightClient, ticket: flight.Ticket) -> int:
    rows = 0
    for chunk in client.do_get(ticket):
        assert chunk.data is not None
        rows += chunk.data.num_rows
    return rows


def _interleaved(runs: dict[str, Callable[[], None]]) -> dict[str, float]:
    """Median seconds of each, taken in turns so that the machine's moods hit all alike."""
    took: dict[str, list[float]] = {kind: [] for kind in runs}
    for round_number in range(_ROUNDS + 1):
        for kind, run in runs.items():
            started = time.perf_counter()
            run()
            if round_number:  # the first one warms up
                took[kind].append(time.perf_counter() - started)
    return {kind: statistics.median(each) for kind, each in took.items()}


@contextmanager
def _baseline(kind: str, scratch: Path) -> Iterator[flight.FlightClient]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench._flight_baselines", kind, str(scratch), str(_SCAN_ROWS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield flight.connect(f"grpc://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.stdin.close()
        process.wait()


def _report(metric: str, value: float, unit: str, baseline: float, target: float | None) -> None:
    ratio = value / baseline
    _line(metric, value, unit, baseline, ratio, target, None if target is None else ratio >= target)


def _line(
    metric: str,
    value: float,
    unit: str,
    baseline: float | None,
    ratio: float | None,
    target: float | None,
    ok: bool | None,  # noqa: FBT001 — a column of the line
) -> None:
    line = {
        "bench": "ticks",
        "metric": metric,
        "value": round(value, 3),
        "unit": unit,
        "baseline": None if baseline is None else round(baseline, 3),
        "ratio": None if ratio is None else round(ratio, 3),
        "target": target,
        "ok": ok,
    }
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
