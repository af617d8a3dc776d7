"""How long the tick store takes to read its log back after it was killed, beside its checksum.

Several datasets are filled until just before their logs would become segments, so that the most
there is to read back is read back.
"""

from __future__ import annotations

import statistics
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

import crc32c
import pyarrow as pa
from pyarrow import flight

from bench._measure import at_least, at_most, report
from bench._memory import held_at_most
from bench._servers import mesh, scratch
from bench._ticks import SCHEMA, sliced, tick_batch
from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient
from tickmesh_tickstore.engine.disk.frame import read_header

if TYPE_CHECKING:
    from pathlib import Path

BENCH = "recovery"
_KILLS = 3
_SUBJECTS = tuple(f"bench.recovery.{number}" for number in range(8))
_ROWS, _ROWS_A_BATCH = 2_097_152, 65_536
"""Of each dataset: 61 MB, where a log of 64 MiB is sealed."""


class _Recovery(NamedTuple):
    """One killed store that was started again; seconds."""

    log_bytes: int
    checksum: float
    recovery: float
    ready: float
    share_kept: float
    memory_bytes: int


def main() -> None:
    """Kill and start again some times over; the medians count."""
    rounds: list[_Recovery] = []
    empty: list[float] = []
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        registry = stack.enter_context(mesh(folder / "registry", "registry"))
        address = registry.addresses["registry"]["grpc"]
        with RegistryClient(address) as client:
            for subject in _SUBJECTS:
                client.register(subject, SCHEMA)
        batches = sliced(tick_batch(_ROWS), _ROWS_A_BATCH)
        for number in range(_KILLS):
            empty.append(_start_empty(folder / f"empty-{number}", address))
            rounds.append(_kill_and_recover(folder / f"killed-{number}", address, batches))
    gigabytes = [each.log_bytes / 1e9 for each in rounds]
    report(BENCH, "log_read_back", statistics.median(gigabytes), "GB")
    report(
        BENCH,
        "recovery_over_checksum_of_the_log",
        statistics.median(each.recovery * 1e9 / each.log_bytes for each in rounds),
        "s/GB",
        baseline=statistics.median(each.checksum * 1e9 / each.log_bytes for each in rounds),
        target=at_most(2),
    )
    ready = statistics.median(each.ready for each in rounds)
    report(BENCH, "start_to_ready_over_empty_store", ready, "s", baseline=statistics.median(empty))
    kept = min(each.share_kept for each in rounds)
    memory = max(each.memory_bytes for each in rounds)
    report(BENCH, "memory_at_most", memory / 2**20, "MB", target=at_most(512))
    report(BENCH, "share_of_acknowledged_rows_kept", kept, "1", target=at_least(1))


def _start_empty(home: Path, registry: str) -> float:
    started = time.perf_counter()
    with mesh(home, "tickstore", settings={"tickstore.registry": registry}):
        return time.perf_counter() - started


def _kill_and_recover(home: Path, registry: str, batches: list[pa.RecordBatch]) -> _Recovery:
    settings = {"tickstore.registry": registry}
    with mesh(home, "tickstore", settings=settings) as running:
        store = flight.connect(f"grpc://{running.addresses['tickstore']['flight']}")
        for subject in _SUBJECTS:
            descriptor = flight.FlightDescriptor.for_path(subject)
            writer, _ = store.do_put(descriptor, batches[0].schema)
            for batch in batches:
                writer.write_batch(batch)
            writer.close()  # all of it is durable now
        running.kill()
    log_bytes, checksum = _checksum(sorted(home.glob("tickstore/**/logs/*.log")))
    started = time.perf_counter()
    with mesh(home, "tickstore", settings=settings) as running:
        ready = time.perf_counter() - started
        pid = running.pid("tickstore")
        assert pid is not None
        memory = held_at_most(pid)
        config = load_client_config(home=home, environ=running.client_environment)
        with TickClient(config=config) as client:
            found = client.statistics()
    kept = sum(dataset.row_count for dataset in found.datasets) / (_ROWS * len(_SUBJECTS))
    return _Recovery(log_bytes, checksum, found.recovery.duration_seconds, ready, kept, memory)


def _checksum(logs: list[Path]) -> tuple[int, float]:
    """Bytes of whole frames, and the seconds that CRC32C over them takes."""
    size = 0
    seconds = 0.0
    revision: int | None = None  # grows by one from frame to frame of a dataset
    folder: Path | None = None
    for path in logs:
        if path.parent != folder:
            folder, revision = path.parent, None
        log = memoryview(pa.memory_map(str(path)).read_buffer())
        offset = 0
        while (frame := read_header(log, offset)) is not None:
            # A file that is written over still holds older frames behind the newest one.
            if revision is not None and frame.revision != revision + 1:
                break
            revision = frame.revision
            offset += frame.length
        started = time.perf_counter()
        crc32c.crc32c(log[:offset])
        seconds += time.perf_counter() - started
        size += offset
    return size, seconds


if __name__ == "__main__":
    main()
