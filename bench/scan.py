"""Reads of stored rows: whole datasets and parts, in both tiers, and how small appends read."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import flight

from bench._measure import medians, ratio_at_least, ratio_at_most, report, timed
from bench._recorded import QUOTES_SCHEMA, recorded_quotes
from bench._servers import REPOSITORY, baseline, baseline_server, mesh, scratch
from bench._ticks import SCHEMA, SYMBOLS, sliced, tick_batch
from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterable
    from pathlib import Path

BENCH = "scan"
_ROWS = 6_553_600
_APPENDS, _ROWS_AN_APPEND = 1_000, 10
_RECENT, _SETTLED, _QUOTES = "bench.recent", "bench.settled", "bench.quotes"
_SMALL, _LARGE = "bench.small", "bench.large"
_PATIENCE_SECONDS = 120.0
_ARCTICDB_PYTHON = REPOSITORY / ".venv-bench/bin/python"


def main() -> None:
    """Measure reads of every kind."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        running = stack.enter_context(mesh(folder / "home", "registry", "tickstore"))
        with RegistryClient(running.addresses["registry"]["grpc"]) as registry:
            for subject in (_RECENT, _SETTLED, _SMALL, _LARGE):
                registry.register(subject, SCHEMA)
            registry.register(_QUOTES, QUOTES_SCHEMA)
        config = load_client_config(home=folder / "home", environ=running.client_environment)
        client = stack.enter_context(TickClient(config=config))
        store = flight.connect(f"grpc://{running.addresses['tickstore']['flight']}")
        address = stack.enter_context(baseline_server("_flight_baseline", "memory", _ROWS))
        memory = flight.connect(f"grpc://{address}")
        arcticdb = _arcticdb(stack, folder)
        for dataset in (_RECENT, _SETTLED):
            _put(store, dataset, sliced(tick_batch(_ROWS), 65_536))
        client.flush(_RECENT, timeout_seconds=_PATIENCE_SECONDS)
        client.compact(_SETTLED, timeout_seconds=_PATIENCE_SECONDS)
        _measure_scans(store, memory, arcticdb)
        _measure_parts(client)
        _measure_small_appends(store, client)
        _measure_size(store, client)


def _arcticdb(stack: ExitStack, folder: Path) -> subprocess.Popen[str] | None:
    if not _ARCTICDB_PYTHON.exists():
        return None
    process = stack.enter_context(
        baseline("_arcticdb_reads", folder / "arcticdb", _ROWS, python=_ARCTICDB_PYTHON)
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _measure_scans(
    store: flight.FlightClient,
    memory: flight.FlightClient,
    arcticdb: subprocess.Popen[str] | None,
) -> None:
    def whole(dataset: str) -> Callable[[], float]:
        def scan() -> None:
            assert _scanned(store, dataset) == _ROWS

        return timed(scan)

    def get() -> None:
        assert _drain(memory, flight.Ticket(b"all")) == _ROWS

    measures = {"recent": whole(_RECENT), "settled": whole(_SETTLED), "memory": timed(get)}
    if arcticdb is not None:
        measures["arcticdb"] = lambda: _arcticdb_seconds(arcticdb)
    rates = {name: _ROWS / took / 1e6 for name, took in medians(measures).items()}
    for tier, least in (("recent", 0.7), ("settled", 0.35)):
        report(
            BENCH,
            f"full_scan_{tier}_tier_over_get_from_memory",
            rates[tier],
            "M rows/s",
            baseline=rates["memory"],
            target=ratio_at_least(least),
        )
    report(
        BENCH,
        "full_scan_recent_tier_over_arcticdb_read",
        rates["recent"],
        "M rows/s",
        baseline=rates.get("arcticdb"),
        target=ratio_at_least(1),
    )


def _arcticdb_seconds(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("read\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def _measure_parts(client: TickClient) -> None:
    """One symbol of fifty, and a hundredth of the time, beside the whole."""
    times = tick_batch(_ROWS).column("ts").cast(pa.int64())
    start, end = (times[_ROWS * place // 1_000].as_py() for place in (600, 610))

    def part(dataset: str, **chosen: object) -> Callable[[], float]:
        return timed(lambda: client.read(dataset, **chosen))  # type: ignore[arg-type]  # options by name

    for tier, dataset in (("recent", _RECENT), ("settled", _SETTLED)):
        seconds = medians(
            {
                "whole": part(dataset),
                "one_symbol": part(dataset, symbols=[SYMBOLS[7]]),
                "a_hundredth": part(dataset, start=start, end=end),
            },
            seconds=3.0,
        )
        for name in ("one_symbol", "a_hundredth"):
            report(
                BENCH,
                f"read_{name}_{tier}_tier_over_whole",
                seconds[name] * 1e3,
                "ms",
                baseline=seconds["whole"] * 1e3,
            )


def _measure_small_appends(store: flight.FlightClient, client: TickClient) -> None:
    """Each append is one message, acknowledged before the next one is sent."""
    rows = _APPENDS * _ROWS_AN_APPEND
    _put(store, _LARGE, [tick_batch(rows)])
    _put(store, _SMALL, sliced(tick_batch(rows), _ROWS_AN_APPEND), each_acknowledged=True)

    def reads() -> dict[str, float]:
        return medians(
            {
                name: timed(lambda name=name: _scanned(store, name))  # type: ignore[misc]  # the loop's own
                for name in (_SMALL, _LARGE)
            },
            seconds=2.0,
        )

    for step in ("log", "recent", "settled"):
        for dataset in (_SMALL, _LARGE):
            if step == "recent":
                client.flush(dataset, timeout_seconds=_PATIENCE_SECONDS)
            elif step == "settled":
                client.compact(dataset, timeout_seconds=_PATIENCE_SECONDS)
        seconds = reads()
        report(
            BENCH,
            f"read_1000_appends_of_10_rows_{step}_over_one_of_10000",
            seconds[_SMALL] * 1e3,
            "ms",
            baseline=seconds[_LARGE] * 1e3,
            target=ratio_at_most(2),
        )


def _measure_size(store: flight.FlightClient, client: TickClient) -> None:
    """Recorded quotes, settled, beside the same rows as an LZ4 Arrow file."""
    quotes = recorded_quotes()
    if quotes is None:
        return
    _put(store, _QUOTES, quotes.combine_chunks().to_batches(max_chunksize=65_536))
    dataset = client.compact(_QUOTES, timeout_seconds=_PATIENCE_SECONDS)
    settled = next(tier for tier in dataset.tiers if tier.name == "settled")
    assert settled.row_count == quotes.num_rows
    table = client.read(_QUOTES)
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4", unify_dictionaries=True)
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table, max_chunksize=65_536)
    report(
        BENCH,
        "settled_size_of_recorded_quotes_over_lz4_arrow",
        settled.size_bytes / settled.row_count,
        "bytes/row",
        baseline=sink.getvalue().size / quotes.num_rows,
        target=ratio_at_most(0.5),
    )


def _put(
    store: flight.FlightClient,
    dataset: str,
    batches: Iterable[pa.RecordBatch],
    *,
    each_acknowledged: bool = False,
) -> None:
    batches = list(batches)
    writer, reader = store.do_put(flight.FlightDescriptor.for_path(dataset), batches[0].schema)
    acknowledgements: Any = reader  # the stubs take it for a reader of batches
    for batch in batches:
        writer.write_batch(batch)
        if each_acknowledged:
            acknowledgements.read()
    writer.close()


def _scanned(store: flight.FlightClient, dataset: str) -> int:
    info = store.get_flight_info(flight.FlightDescriptor.for_path(dataset))
    return sum(_drain(store, endpoint.ticket) for endpoint in info.endpoints)


def _drain(client: flight.FlightClient, ticket: flight.Ticket) -> int:
    rows = 0
    for chunk in client.do_get(ticket):
        assert chunk.data is not None
        rows += chunk.data.num_rows
    return rows


if __name__ == "__main__":
    main()
