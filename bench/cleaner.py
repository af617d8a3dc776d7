"""Files through the cleaner into the tick store, and how soon a job acts on a schema change.

A job's time is its own, from creation to the commit of its last batch as durable.
"""

from __future__ import annotations

import io
import json
import statistics
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from pyarrow import csv, ipc

from bench._measure import (
    FULL,
    SECONDS,
    at_least,
    at_most,
    medians,
    quantile,
    ratio_at_least,
    report,
    timed,
)
from bench._memory import Peak, peak_of
from bench._servers import mesh, scratch
from bench._ticks import SCHEMA, tick_batch
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning import CleanerClient
from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tickmesh_serving.mesh import Mesh

BENCH = "cleaner"
_ROWS = 1_048_576
_BAD_ROW_EVERY = {"clean": 0, "1_percent_bad": 100, "10_percent_bad": 10, "50_percent_bad": 2}
_LONG_COPIES = 200 if FULL else 24
_PROGRESS_SECONDS = 0.02
_SMALL_ROWS = 4_096
_MEGABYTE = 1e6


@dataclass(frozen=True)
class _Services:
    """A running mesh, its clients, and names for subjects."""

    mesh: Mesh
    registry: RegistryClient
    cleaner: CleanerClient
    sources: Path
    numbers: Iterator[int] = field(default_factory=count)

    def new_subject(self) -> str:
        """A subject of its own: rows that were stored before would be skipped as duplicates."""
        subject = f"bench.clean.{next(self.numbers)}"
        self.registry.register(subject, SCHEMA)
        return subject

    @property
    def cleaner_pid(self) -> int:
        pid = self.mesh.pid("cleaner")
        assert pid is not None
        return pid


def main() -> None:
    """Measure files, jobs side by side, a long file, then schema changes under a running job."""
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
        services = _Services(running, registry, cleaner, sources)
        _measure_files(services)
        _measure_side_by_side(services)
        _write_long(sources)
        _measure_long(services)
        _measure_changes(services)


def _measure_files(services: _Services) -> None:
    ticks = tick_batch(_ROWS)
    jobs: dict[str, Callable[[], float]] = {}
    for name, every in _BAD_ROW_EVERY.items():
        rows = _with_bad_rows(ticks, every=every) if every else ticks
        stored = _ROWS - (len(range(0, _ROWS, every)) if every else 0)
        csv_file = services.sources / f"{name}.csv"
        arrow_file = services.sources / f"{name}.arrow"
        write_csv(csv_file, rows)
        with ipc.new_file(str(arrow_file), rows.schema) as writer:
            for start in range(0, _ROWS, 65_536):
                writer.write_batch(rows.slice(start, 65_536))
        jobs[f"csv_{name}"] = _seconds_of(services, csv_file, stored=stored)
        jobs[f"arrow_{name}"] = _seconds_of(services, arrow_file, stored=stored)
    clean = services.sources / "clean.csv"
    with peak_of(services.cleaner_pid) as peak:
        seconds = medians(jobs | {"read_csv": timed(lambda: csv.read_csv(clean))})
    rates = {name: _ROWS / taken / 1e6 for name, taken in seconds.items()}
    report(
        BENCH,
        "csv_file_to_durable_over_pyarrow_read_csv",
        rates["csv_clean"],
        "M rows/s",
        baseline=rates["read_csv"],
        target=at_least(1),
    )
    report(BENCH, "arrow_file_to_durable", rates["arrow_clean"], "M rows/s", target=at_least(3))
    for kind in ("csv", "arrow"):
        for name in list(_BAD_ROW_EVERY)[1:]:
            report(
                BENCH,
                f"{kind}_file_with_{name}_over_clean",
                rates[f"{kind}_{name}"],
                "M rows/s",
                baseline=rates[f"{kind}_clean"],
                target=ratio_at_least(0.8) if name == "1_percent_bad" else None,
            )
    _report_memory("files_of_a_million_rows", peak)


def _measure_side_by_side(services: _Services) -> None:
    """Two files at once, and a small one beside them, which is to pass."""
    path = services.sources / "clean.csv"
    small = services.sources / "small.csv"
    write_csv(small, tick_batch(_SMALL_ROWS, seed=1))
    alone = medians({"small": _seconds_of(services, small, stored=_SMALL_ROWS)}, seconds=0)["small"]
    cleaner = services.cleaner
    begun = [cleaner.create_job(services.new_subject(), path=path) for _ in range(2)]
    beside = _seconds_of(services, small, stored=_SMALL_ROWS)()
    ended = [_ended(cleaner, job) for job in begun]
    first = min(job.created_at.ToNanoseconds() for job in ended)
    last = max(job.ended_at.ToNanoseconds() for job in ended)
    report(
        BENCH, "two_csv_files_at_once_to_durable", 2 * _ROWS / ((last - first) / 1e3), "M rows/s"
    )
    report(BENCH, "small_file_beside_two_over_alone", beside, "s", baseline=alone)


def _measure_long(services: _Services) -> None:
    path = services.sources / "long.csv"
    size = path.stat().st_size
    with peak_of(services.cleaner_pid) as peak:
        job = run_job(services.cleaner, services.new_subject(), path)
    taken = (job.ended_at.ToNanoseconds() - job.created_at.ToNanoseconds()) / 1e9
    assert job.balance.stored == job.balance.rows_in, job
    report(BENCH, "long_csv_file_size", size / 1e9, "GB")
    report(BENCH, "long_csv_file_to_durable", job.balance.stored / taken / 1e6, "M rows/s")
    _report_memory("long_csv_file", peak)


def _report_memory(name: str, peak: Peak) -> None:
    own = peak.own_bytes / _MEGABYTE
    report(BENCH, f"memory_of_cleaner_{name}", own, "MB", target=at_most(600))
    report(BENCH, f"file_pages_of_cleaner_{name}", peak.file_bytes / _MEGABYTE, "MB")


def _write_long(sources: Path) -> None:
    header, _, body = (sources / "clean.csv").read_bytes().partition(b"\n")
    with (sources / "long.csv").open("wb") as file:
        file.write(header + b"\n")
        for _ in range(_LONG_COPIES):
            file.write(body)


def _measure_changes(services: _Services) -> None:
    """One compatible change after the other, each once the job acted on the one before."""
    registry, cleaner = services.registry, services.cleaner
    subject = "bench.changes"
    registry.register(subject, SCHEMA)
    schema = json.loads(SCHEMA)
    job = cleaner.create_job(subject, path=services.sources / "long.csv")
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


def _seconds_of(services: _Services, path: Path, *, stored: int) -> Callable[[], float]:
    def seconds() -> float:
        done = run_job(services.cleaner, services.new_subject(), path)
        assert done.balance.stored == stored, done
        return (done.ended_at.ToNanoseconds() - done.created_at.ToNanoseconds()) / 1e9

    return seconds


def run_job(cleaner: CleanerClient, subject: str, path: Path) -> job_pb2.Job:
    """Clean a file to its end."""
    return _ended(cleaner, cleaner.create_job(subject, path=path))


def _ended(cleaner: CleanerClient, job: job_pb2.Job) -> job_pb2.Job:
    for moment in cleaner.watch_job(job.id):
        job = moment.job
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED, job.message
    return job


def _with_bad_rows(ticks: pa.RecordBatch, *, every: int) -> pa.RecordBatch:
    """One row in so many has no price anybody pays, each another one."""
    prices = ticks.column("price").to_numpy(zero_copy_only=False).copy()
    prices[::every] *= -1.0
    return ticks.set_column(2, ticks.schema.field("price"), pa.array(np.asarray(prices)))


def write_csv(path: Path, ticks: pa.RecordBatch) -> None:
    """With times in ISO 8601, as the schema's logical type has them."""
    text = io.BytesIO()
    csv.write_csv(ticks.set_column(1, "symbol", ticks.column("symbol").cast(pa.utf8())), text)
    path.write_bytes(text.getvalue().replace(b'"', b""))


if __name__ == "__main__":
    main()
