"""Files through the cleaner into the tick store, and how soon a job acts on a schema change.

A job's time is its own, from creation to the commit of its last batch as durable.
"""

from __future__ import annotations

import io
import json
import statistics
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import csv, ipc

from bench._measure import SECONDS, at_least, at_most, medians, quantile, report, timed
from bench._servers import mesh, scratch
from bench._ticks import SCHEMA, tick_batch
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning import CleanerClient
from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BENCH = "cleaner"
_ROWS = 1_048_576
_BAD_ROW_EVERY = 100
_CHANGED_COPIES = 24
_PROGRESS_SECONDS = 0.02


def main() -> None:
    """Measure files, then schema changes under a running job."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        sources, home = folder / "sources", folder / "home"
        sources.mkdir()
        running = stack.enter_context(
            mesh(
                home,
                *("registry", "tickstore", "cleaner"),
                settings={"cleaner.sources.roots": str(sources)},
            )
        )
        config = load_client_config(home=home, environ=running.client_environment)
        registry = stack.enter_context(RegistryClient(config=config))
        cleaner = stack.enter_context(CleanerClient(config=config))
        _measure_files(registry, cleaner, sources)
        _measure_changes(registry, cleaner, sources)


def _measure_files(registry: RegistryClient, cleaner: CleanerClient, sources: Path) -> None:
    ticks = tick_batch(_ROWS)
    arrow_file, csv_file, blemished = (
        sources / name for name in ("ticks.arrow", "ticks.csv", "blemished.csv")
    )
    with ipc.new_file(str(arrow_file), ticks.schema) as writer:
        for start in range(0, _ROWS, 65_536):
            writer.write_batch(ticks.slice(start, 65_536))
    write_csv(csv_file, ticks)
    write_csv(blemished, _with_bad_rows(ticks))
    bad = len(range(0, _ROWS, _BAD_ROW_EVERY))
    numbers = iter(range(1_000_000))

    def job(path: Path, *, stored: int) -> Callable[[], float]:
        def seconds() -> float:
            # A subject of its own: rows that were stored before would be skipped as duplicates.
            subject = f"bench.clean.{next(numbers)}"
            registry.register(subject, SCHEMA)
            done = run_job(cleaner, subject, path)
            assert done.balance.stored == stored, done
            return (done.ended_at.ToNanoseconds() - done.created_at.ToNanoseconds()) / 1e9

        return seconds

    seconds = medians(
        {
            "csv": job(csv_file, stored=_ROWS),
            "blemished": job(blemished, stored=_ROWS - bad),
            "arrow": job(arrow_file, stored=_ROWS),
            "read_csv": timed(lambda: csv.read_csv(csv_file)),
        }
    )
    rates = {name: _ROWS / taken / 1e6 for name, taken in seconds.items()}
    report(
        BENCH,
        "csv_file_to_durable_over_pyarrow_read_csv",
        rates["csv"],
        "M rows/s",
        baseline=rates["read_csv"],
        target=at_least(1),
    )
    report(
        BENCH,
        "csv_file_with_1_percent_bad_rows_over_clean",
        rates["blemished"],
        "M rows/s",
        baseline=rates["csv"],
    )
    report(BENCH, "arrow_file_to_durable", rates["arrow"], "M rows/s", target=at_least(3))


def _measure_changes(registry: RegistryClient, cleaner: CleanerClient, sources: Path) -> None:
    """One compatible change after the other, each once the job acted on the one before."""
    path = sources / "long.csv"
    header, _, body = (sources / "ticks.csv").read_bytes().partition(b"\n")
    with path.open("wb") as file:
        file.write(header + b"\n")
        for _ in range(_CHANGED_COPIES):
            file.write(body)
    subject = "bench.changes"
    registry.register(subject, SCHEMA)
    schema = json.loads(SCHEMA)
    job = cleaner.create_job(subject, path=path)
    registered = 1
    delays: list[float] = []
    for moment in cleaner.watch_job(job.id, progress_seconds=_PROGRESS_SECONDS):
        if moment.schema_version == registered and moment.job.state == job_pb2.JOB_STATE_RUNNING:
            if registered > 1:
                delays.append(moment.schema_change_delay_ns / 1e6)
            registered += 1
            schema["properties"]["price"]["maximum"] += 1
            registry.register(subject, json.dumps(schema))
        if len(delays) * 0.1 > SECONDS:
            cleaner.cancel_job(job.id)
    report(BENCH, "schema_changes_acted_on", len(delays), "1")
    report(BENCH, "schema_change_to_first_batch_p50", statistics.median(delays), "ms")
    report(
        BENCH, "schema_change_to_first_batch_p99", quantile(delays, 0.99), "ms", target=at_most(100)
    )


def run_job(cleaner: CleanerClient, subject: str, path: Path) -> job_pb2.Job:
    """Clean a file to its end."""
    job = cleaner.create_job(subject, path=path)
    for moment in cleaner.watch_job(job.id):
        job = moment.job
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    return job


def _with_bad_rows(ticks: pa.RecordBatch) -> pa.RecordBatch:
    """One row in a hundred has no price anybody pays."""
    prices = ticks.column("price").to_numpy(zero_copy_only=False).copy()
    prices[::_BAD_ROW_EVERY] = -1.0
    return ticks.set_column(2, ticks.schema.field("price"), pa.array(np.asarray(prices)))


def write_csv(path: Path, ticks: pa.RecordBatch) -> None:
    """With times in ISO 8601, as the schema's logical type has them."""
    text = io.BytesIO()
    csv.write_csv(ticks.set_column(1, "symbol", ticks.column("symbol").cast(pa.utf8())), text)
    path.write_bytes(text.getvalue().replace(b'"', b""))


if __name__ == "__main__":
    main()
