"""Governed durable puts over Flight, beside servers and stores that promise less.

What they cost is shown in four steps, each by a real server: rows *received* (a server that forgets
them), *governed* (the tick store without a log), *written* (the tick store with its log in a tmpfs,
where syncing is free) and *fsynced* (the tick store as everybody runs it).
"""

from __future__ import annotations

import shutil
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import flight

from bench._measure import (
    FULL,
    at_most,
    medians,
    quantile,
    ratio_at_least,
    report,
    timed,
)
from bench._memory import peak_of
from bench._servers import REPOSITORY, baseline, baseline_server, mesh, scratch
from bench._ticks import SCHEMA, sliced, tick_batch
from tickmesh.registry import RegistryClient

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bench._measure import Target

BENCH = "ticks"
_ROWS = {65_536: 2_621_440, 1_024: 1_048_576, 64: 131_072}
"""Rows a batch: rows a run."""
_STORED_ROWS = {65_536: 655_360, 1_024: 65_536, 64: 6_400}
"""Fewer for stores that take a transaction a batch."""
_OVER_NAIVE = {65_536: ratio_at_least(0.8), 1_024: ratio_at_least(1.5), 64: ratio_at_least(1.3)}
_OVER_ARCTICDB = {65_536: ratio_at_least(1.5), 1_024: ratio_at_least(20)}
_SUBJECT, _ACKNOWLEDGED_SUBJECT, _MANY_SUBJECT = "bench.puts", "bench.acknowledged", "bench.many"
_ACKNOWLEDGED_PUTS = 1_000
_REFUSED_EVERY = 100
_MANY_ROWS = 100_000_000 if FULL else 15_000_000
_MANY_BATCHES = 64
_SEALED_SECONDS = 120.0
_TMPFS = Path("/dev/shm")
_TMPFS_BYTES = 4 << 30
_STORES_PYTHON = REPOSITORY / ".venv-bench/bin/python"


def main() -> None:
    """Measure puts of every size."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        home = folder / "home"
        durable = stack.enter_context(mesh(home, "registry", "tickstore"))
        registry = durable.addresses["registry"]["grpc"]
        with RegistryClient(registry) as client:
            for subject in (_SUBJECT, _ACKNOWLEDGED_SUBJECT, _MANY_SUBJECT):
                client.register(subject, SCHEMA)
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
            volatile = stack.enter_context(scratch(_TMPFS))
            written = stack.enter_context(mesh(volatile, "tickstore", settings=where))
            addresses["written"] = written.addresses["tickstore"]["flight"]
        stores = {kind: flight.connect(f"grpc://{address}") for kind, address in addresses.items()}
        arcticdb = stack.enter_context(_in_process("_arcticdb_baseline", folder / "arcticdb"))
        appended = {
            rows_a_batch: _measure_puts(rows_a_batch, stores, arcticdb) for rows_a_batch in _ROWS
        }
        _measure_acknowledgements(stores["fsynced"])
        _measure_tables(folder, appended)
        pid = durable.pid("tickstore")
        assert pid is not None
        _measure_many(stores["fsynced"], home, pid, arcticdb)


@contextmanager
def _in_process(module: str, *arguments: object) -> Iterator[subprocess.Popen[str] | None]:
    """A store that runs in a process of its own environment; None where it is not installed."""
    if not _STORES_PYTHON.exists():
        yield None
        return
    with baseline(module, *arguments, python=_STORES_PYTHON) as process:
        assert process.stdout is not None
        yield process if process.stdout.readline() == "ready\n" else None


def _measure_puts(
    rows_a_batch: int,
    stores: Mapping[str, flight.FlightClient],
    arcticdb: subprocess.Popen[str] | None,
) -> float:
    """Reports puts of one size; the rate of durable ones."""
    rows = _ROWS[rows_a_batch]
    batches = sliced(tick_batch(rows), rows_a_batch)

    def put_into(store: flight.FlightClient) -> Callable[[], float]:
        measure = timed(lambda: _put(store, batches))
        return lambda: rows / measure() / 1e6

    measures = {kind: put_into(store) for kind, store in stores.items()}
    refused = _with_refused(batches)
    measure_refused = timed(lambda: _put_with_refused(stores["fsynced"], refused))
    count = sum(batch.num_rows for batch in refused)
    measures["refused"] = lambda: count / measure_refused() / 1e6
    # Beside 64-row batches once, at the end: what it leaves to write delays whoever syncs next.
    in_turns = rows_a_batch in _OVER_ARCTICDB
    if arcticdb is not None and in_turns:
        measures["arcticdb"] = lambda: _stored_rate(arcticdb, rows_a_batch)
    rates = medians(measures)
    if arcticdb is not None and not in_turns:
        rates["arcticdb"] = _stored_rate(arcticdb, rows_a_batch)

    def line(kind: str, over: str, target: Target | None) -> None:
        metric = f"put_{kind}_{rows_a_batch}_rows_over_{over}"
        report(BENCH, metric, rates[kind], "M rows/s", baseline=rates.get(over), target=target)

    for kind in ("governed", "written", "fsynced"):
        if kind in rates:
            line(kind, "received", None)
    line("fsynced", "naive", _OVER_NAIVE[rows_a_batch])
    line("fsynced", "arcticdb", _OVER_ARCTICDB.get(rows_a_batch))
    report(
        BENCH,
        f"put_fsynced_{rows_a_batch}_rows_1_percent_of_batches_refused_over_none",
        rates["refused"],
        "M rows/s",
        baseline=rates["fsynced"],
    )
    return rates["fsynced"]


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


def _measure_tables(folder: Path, appended: Mapping[int, float]) -> None:
    """DuckDB and Delta once each: a transaction a batch, in process."""
    for kind in ("duckdb", "delta"):
        with _in_process("_table_baselines", kind, folder / kind) as table:
            for rows_a_batch, rate in appended.items():
                report(
                    BENCH,
                    f"put_fsynced_{rows_a_batch}_rows_over_{kind}",
                    rate,
                    "M rows/s",
                    baseline=None if table is None else _stored_rate(table, rows_a_batch),
                )


def _measure_many(
    store: flight.FlightClient, home: Path, pid: int, arcticdb: subprocess.Popen[str] | None
) -> None:
    """So many rows that sealing has to keep up, and memory shows what is held."""
    batches = [tick_batch(65_536, seed=seed) for seed in range(_MANY_BATCHES)]
    descriptor = flight.FlightDescriptor.for_path(_MANY_SUBJECT)
    count = _MANY_ROWS // 65_536
    rates = []
    if arcticdb is not None:
        rates.append(_stored_rate(arcticdb, 65_536))
    with peak_of(pid) as peak:
        started = time.perf_counter()
        writer, _ = store.do_put(descriptor, batches[0].schema)
        for number in range(count):
            writer.write_batch(batches[number % _MANY_BATCHES])
        writer.close()
        durable = time.perf_counter() - started
        _wait_until_sealed(home)
        sealed = time.perf_counter() - started
    if arcticdb is not None:
        rates.append(_stored_rate(arcticdb, 65_536))
    name = f"put_{_MANY_ROWS // 1_000_000}_million_rows"
    rows = count * 65_536 / 1e6
    append = sum(rates) / len(rates) if rates else None
    report(BENCH, f"{name}_durable_over_arcticdb", rows / durable, "M rows/s", baseline=append)
    report(
        BENCH,
        f"{name}_sealed_over_arcticdb",
        rows / sealed,
        "M rows/s",
        baseline=append,
        target=ratio_at_least(0.8),
    )
    report(BENCH, f"{name}_memory", peak.own_bytes / 2**20, "MiB", target=at_most(1024))
    report(BENCH, f"{name}_file_pages", peak.file_bytes / 2**20, "MiB")


def _wait_until_sealed(home: Path) -> None:
    """Until no dataset has a log but the one it writes to."""
    end = time.monotonic() + _SEALED_SECONDS
    datasets = home / "tickstore/datasets"
    while any(len(list(each.glob("logs/*.log"))) > 1 for each in datasets.iterdir()):
        if time.monotonic() > end:
            raise TimeoutError("sealing does not come to its end")
        time.sleep(0.02)


def _put(store: flight.FlightClient, batches: Sequence[pa.RecordBatch]) -> None:
    """Returns once the server has handled all: durable where it promises that."""
    descriptor = flight.FlightDescriptor.for_path(_SUBJECT)
    writer, _ = store.do_put(descriptor, batches[0].schema)
    for batch in batches:
        writer.write_batch(batch)
    writer.close()


def _with_refused(batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
    """The batches, each hundredth with one bad row; few batches are repeated to a hundred."""
    several = [*batches] * -(-_REFUSED_EVERY // len(batches))
    for place in range(_REFUSED_EVERY - 1, len(several), _REFUSED_EVERY):
        batch = several[place]
        prices = np.array(batch.column(2))
        prices[batch.num_rows // 2] = -1.0
        several[place] = batch.set_column(2, batch.schema.field(2), pa.array(prices))
    return several


def _put_with_refused(store: flight.FlightClient, batches: Sequence[pa.RecordBatch]) -> None:
    """A stream ends at its refused batch, so each bad one takes a stream of its own."""
    for start in range(0, len(batches), _REFUSED_EVERY):
        part = batches[start : start + _REFUSED_EVERY]
        try:
            _put(store, part)
        except flight.FlightServerError:
            if len(part) == _REFUSED_EVERY:
                continue
            raise
        if len(part) == _REFUSED_EVERY:
            raise AssertionError("a batch with a bad row was taken")


def _stored_rate(process: subprocess.Popen[str], rows_a_batch: int) -> float:
    """Million rows a second that a store of its own process appends."""
    assert process.stdin is not None
    assert process.stdout is not None
    rows = _STORED_ROWS[rows_a_batch]
    process.stdin.write(f"{rows} {rows_a_batch}\n")
    process.stdin.flush()
    return rows / float(process.stdout.readline()) / 1e6


if __name__ == "__main__":
    main()
