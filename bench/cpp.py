"""The C++ client: lookups and mappings in memory, and rows beside the Python client and Flight."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa

from bench._measure import at_most, medians, ratio_at_least, report, timed
from bench._servers import REPOSITORY, mesh, program, scratch
from bench._ticks import SCHEMA, sliced, tick_batch
from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient
from tickmesh.schema import parse_schema, project
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

BENCH = "cpp"
_PROGRAMS = REPOSITORY / "clients/cpp/build/bench"
_SUBJECTS = 50
_PREFIX = "bench.lookups"
_LOOKUPS = ("get", "latest", "in_force", "by_id")
_MAPPINGS = ("mapping_of_version", "mapping_of_kept_text")
_PUT_ROWS = 2_621_440
_GET_ROWS = 6_553_600
_ROWS_A_BATCH = 65_536
_READ = "bench.read"
_CONNECTIONS = 2
"""Of `ReadOptions::parallelism`, and of the plain get beside it."""
_PATIENCE_SECONDS = 120.0
_REST_SECONDS = 0.05
"""For the store to drop the files of deleted rows."""
_SECONDS = 20.0
"""The clients do nearly the same work and the server most of it: small differences need time."""
_SIDES = ("cpp", "python")
_WAYS = ("write", "put")

_KEEPING_MEMORY = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": str(32 << 20),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
}
"""What both clients and the plain Flight client allocate by, so that they keep what they free.

At glibc's defaults each gives back some of it and asks for it again: up to half of what receiving
costs, and how much is luck of each process, which then decides between them.
"""


class _Program:
    """A C++ program that answers each line by a figure."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, line: str) -> float:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the C++ program ended over {line!r}")
        return float(answer)


def main() -> None:
    """Measure all of it."""
    if not os.environ.keys() >= _KEEPING_MEMORY.keys():
        # Read by the allocator when a process starts.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "bench.cpp"],
            {**os.environ, **_KEEPING_MEMORY},
        )
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        running = stack.enter_context(mesh(folder / "home", "registry", "tickstore"))
        environment = running.client_environment
        datasets = [_READ, *(f"bench.{side}.{way}" for side in _SIDES for way in _WAYS)]
        with RegistryClient(running.addresses["registry"]["grpc"]) as registry:
            for subject in (*datasets, *(f"{_PREFIX}{number}" for number in range(_SUBJECTS))):
                registry.register(subject, SCHEMA)
        _measure_memory(environment)
        config = load_client_config(home=folder / "home", environ=environment)
        client = stack.enter_context(TickClient(config=config))
        rows = _rows_to_put(folder / "rows.arrow")
        # In processes of their own: what one leaves of memory is not what the other finds.
        cpp, bare = (
            stack.enter_context(_cpp(environment, "ticks_bench", folder / "rows.arrow"))
            for _ in range(2)
        )
        _measure_puts(client, rows, cpp)
        client.put(_READ, pa.Table.from_batches(sliced(tick_batch(_GET_ROWS), _ROWS_A_BATCH)))
        client.flush(_READ, timeout_seconds=_PATIENCE_SECONDS)
        _measure_gets(client, cpp, bare)


@contextmanager
def _cpp(environment: Mapping[str, str], name: str, *arguments: object) -> Iterator[_Program]:
    path = _PROGRAMS / name
    if not path.exists():
        raise FileNotFoundError(f"{name} is not built: `make bench BENCH=cpp` builds it")
    with program(path, *arguments, environment=environment) as process:
        yield _Program(process)


def _measure_memory(environment: Mapping[str, str]) -> None:
    """Lookups and mappings that the program has all it needs for, from four threads."""
    with _cpp(environment, "schemas_bench", _PREFIX, _SUBJECTS, 1) as memory:

        def asked(measure: str) -> Callable[[], float]:
            return lambda: memory.ask(measure) / 1e3

        took = medians({name: asked(name) for name in (*_LOOKUPS, *_MAPPINGS)})
        for name in _LOOKUPS:
            report(BENCH, f"cached_{name}_4_threads", took[name], "us", target=at_most(1))
        for name in _MAPPINGS:
            report(BENCH, f"{name}_4_threads", took[name], "us", target=at_most(1))
        in_python = timed(lambda: project(parse_schema(SCHEMA)))
        anew = medians({"cpp": asked("text"), "python": lambda: in_python() * 1e6}, seconds=2.0)
    report(BENCH, "mapping_of_text_over_python", anew["cpp"], "us", baseline=anew["python"])


def _rows_to_put(path: Path) -> pa.Table:
    table = pa.Table.from_batches(sliced(tick_batch(_PUT_ROWS), _ROWS_A_BATCH))
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)
    return table


def _measure_puts(client: TickClient, rows: pa.Table, cpp: _Program) -> None:
    """Rows until they are durable: through a writer, and as one upload.

    Each begins at a dataset without rows and a store with nothing else to do: otherwise it is the
    store's own work on earlier rows, which falls on either side, that decides.
    """

    def write() -> None:
        with client.writer("bench.python.write") as writer:
            for batch in rows.to_batches():
                writer.put(batch)

    def into_nothing(way: str, measure: Callable[[], float]) -> Callable[[], float]:
        def measured() -> float:
            for dataset in (f"bench.{side}.{way}" for side in _SIDES):
                if client.datasets(prefix=dataset):
                    client.delete_dataset(dataset)
                client.create_dataset(dataset)
            time.sleep(_REST_SECONDS)
            return measure()

        return measured

    in_python = {"write": timed(write), "put": timed(lambda: client.put("bench.python.put", rows))}
    for way in _WAYS:
        sides = {"cpp": _asked(cpp, f"{way} bench.cpp.{way}"), "python": in_python[way]}
        seconds = medians(
            {side: into_nothing(way, measure) for side, measure in sides.items()}, seconds=_SECONDS
        )
        report(
            BENCH,
            f"{way}_over_python_client",
            _PUT_ROWS / seconds["cpp"] / 1e6,
            "M rows/s",
            baseline=_PUT_ROWS / seconds["python"] / 1e6,
            target=ratio_at_least(1),
        )


def _measure_gets(client: TickClient, cpp: _Program, bare: _Program) -> None:
    """One dataset as a table in the client: plan and rows."""

    def read() -> None:
        assert client.read(_READ).num_rows == _GET_ROWS

    seconds = medians(
        {
            "get": _asked(cpp, f"get {_READ} {_GET_ROWS}"),
            "stream": _asked(cpp, f"stream {_READ} {_GET_ROWS}"),
            "python_client": timed(read),
            "bare_flight": _asked(bare, f"bare {_READ} {_GET_ROWS} {_CONNECTIONS}"),
            "bare_flight_one_connection": _asked(bare, f"bare {_READ} {_GET_ROWS} 1"),
        },
        seconds=_SECONDS,
    )
    rates = {name: _GET_ROWS / took / 1e6 for name, took in seconds.items()}
    for name, over, target in (
        ("get", "python_client", ratio_at_least(1)),
        ("get", "bare_flight", ratio_at_least(0.8)),
        ("get", "bare_flight_one_connection", None),
        ("stream", "bare_flight", None),
    ):
        metric = f"{name}_over_{over}"
        report(BENCH, metric, rates[name], "M rows/s", baseline=rates[over], target=target)


def _asked(cpp: _Program, line: str) -> Callable[[], float]:
    return lambda: cpp.ask(line)


if __name__ == "__main__":
    main()
