"""Governed durable puts over Flight, beside servers and stores that promise less.

What they cost is shown in four steps, each by a real server: rows *received* (a server that forgets
them), *governed* (the tick store without a log), *written* (the tick store with its log in a tmpfs,
where syncing is free) and *fsynced* (the tick store as everybody runs it).
"""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyarrow import flight

from bench._measure import (
    at_most,
    medians,
    quantile,
    ratio_at_least,
    report,
    timed,
)
from bench._servers import REPOSITORY, baseline, baseline_server, mesh, scratch
from bench._ticks import SCHEMA, sliced, tick_batch
from tickmesh.registry import RegistryClient

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from bench._measure import Target

BENCH = "puts"
_ROWS = {65_536: 2_621_440, 1_024: 1_048_576, 64: 131_072}
"""Rows a batch: rows a run."""
_ARCTICDB_ROWS = {65_536: 655_360, 1_024: 65_536}
_OVER_NAIVE = {65_536: ratio_at_least(0.8), 1_024: ratio_at_least(1.5), 64: ratio_at_least(1.3)}
_OVER_ARCTICDB = {65_536: ratio_at_least(1.5), 1_024: ratio_at_least(20)}
_SUBJECT, _ACKNOWLEDGED_SUBJECT = "bench.puts", "bench.acknowledged"
_ACKNOWLEDGED_PUTS = 500
_TMPFS = Path("/dev/shm")
_TMPFS_BYTES = 4 << 30
_ARCTICDB_PYTHON = REPOSITORY / ".venv-bench/bin/python"


def main() -> None:
    """Measure puts of every size."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        durable = stack.enter_context(mesh(folder / "home", "registry", "tickstore"))
        registry = durable.addresses["registry"]["grpc"]
        with RegistryClient(registry) as client:
            client.register(_SUBJECT, SCHEMA)
            client.register(_ACKNOWLEDGED_SUBJECT, SCHEMA)
        where = {"tickstore.registry": registry}
        forgetful = stack.enter_context(
            mesh(
                folder / "forgetful",
                "tickstore",
                settings=where,
                tick_store_module="bench._forgetful_tick_store",
            )
        )
        addresses = {
            "fsynced": durable.addresses["tickstore"]["flight"],
            "governed": forgetful.addresses["tickstore"]["flight"],
            "received": stack.enter_context(baseline_server("_flight_baseline", "discard")),
            "naive": stack.enter_context(baseline_server("_flight_baseline", "naive", folder)),
        }
        if _TMPFS.is_dir() and shutil.disk_usage(_TMPFS).free > _TMPFS_BYTES:
            home = stack.enter_context(scratch(_TMPFS))
            written = stack.enter_context(mesh(home, "tickstore", settings=where))
            addresses["written"] = written.addresses["tickstore"]["flight"]
        stores = {kind: flight.connect(f"grpc://{address}") for kind, address in addresses.items()}
        arcticdb = None
        if _ARCTICDB_PYTHON.exists():
            directory = folder / "arcticdb"
            arcticdb = stack.enter_context(
                baseline("_arcticdb_baseline", directory, python=_ARCTICDB_PYTHON)
            )
            assert arcticdb.stdout is not None
            assert arcticdb.stdout.readline() == "ready\n"
        for rows_a_batch in _ROWS:
            _measure_puts(rows_a_batch, stores, arcticdb)
        _measure_acknowledgements(stores["fsynced"])


def _measure_puts(
    rows_a_batch: int,
    stores: dict[str, flight.FlightClient],
    arcticdb: subprocess.Popen[str] | None,
) -> None:
    rows = _ROWS[rows_a_batch]
    batches = sliced(tick_batch(rows), rows_a_batch)

    def put_into(store: flight.FlightClient) -> Callable[[], float]:
        measure = timed(lambda: _put(store, batches))
        return lambda: rows / measure() / 1e6

    measures = {kind: put_into(store) for kind, store in stores.items()}
    if arcticdb is not None and rows_a_batch in _ARCTICDB_ROWS:
        measures["arcticdb"] = lambda: _arcticdb_rate(arcticdb, rows_a_batch)
    rates = medians(measures)

    def line(kind: str, over: str, target: Target | None) -> None:
        metric = f"put_{kind}_{rows_a_batch}_rows_over_{over}"
        report(BENCH, metric, rates[kind], "M rows/s", baseline=rates.get(over), target=target)

    for kind in ("governed", "written", "fsynced"):
        if kind in rates:
            line(kind, "received", None)
    line("fsynced", "naive", _OVER_NAIVE[rows_a_batch])
    if rows_a_batch in _OVER_ARCTICDB:
        line("fsynced", "arcticdb", _OVER_ARCTICDB[rows_a_batch])


def _measure_acknowledgements(store: flight.FlightClient) -> None:
    """One message in flight: what a producer waits for each."""
    batches = sliced(tick_batch(64 * _ACKNOWLEDGED_PUTS), 64)
    descriptor = flight.FlightDescriptor.for_path(_ACKNOWLEDGED_SUBJECT)
    writer, reader = store.do_put(descriptor, batches[0].schema)
    acknowledgements: Any = reader  # the stubs take it for a reader of batches
    took: list[float] = []
    for batch in batches:
        started = time.perf_counter()
        writer.write_batch(batch)
        acknowledgements.read()
        took.append((time.perf_counter() - started) * 1e3)
    writer.close()
    report(BENCH, "acknowledged_put_64_rows_p50", quantile(took, 0.5), "ms")
    report(BENCH, "acknowledged_put_64_rows_p99", quantile(took, 0.99), "ms", target=at_most(10))


def _put(store: flight.FlightClient, batches: Sequence[pa.RecordBatch]) -> None:
    """Returns once the server has handled all: durable where it promises that."""
    descriptor = flight.FlightDescriptor.for_path(_SUBJECT)
    writer, _ = store.do_put(descriptor, batches[0].schema)
    for batch in batches:
        writer.write_batch(batch)
    writer.close()


def _arcticdb_rate(process: subprocess.Popen[str], rows_a_batch: int) -> float:
    """Million rows a second."""
    assert process.stdin is not None
    assert process.stdout is not None
    rows = _ARCTICDB_ROWS[rows_a_batch]
    process.stdin.write(f"{rows} {rows_a_batch}\n")
    process.stdin.flush()
    return rows / float(process.stdout.readline()) / 1e6


if __name__ == "__main__":
    main()
