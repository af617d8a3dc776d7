"""What schema changes cost: the mapping of a subject to its version, and reads of older rows.

Reads are measured inside the process, on the memory engine: resolution is compared, not transport.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from bench._measure import at_most, medians, report, timed
from bench._servers import mesh, scratch
from bench._ticks import SCHEMA, tick_batch
from tickmesh.registry import RegistryClient
from tickmesh_tickstore.domain.requests import ScanRequest
from tickmesh_tickstore.engine import MemoryEngine
from tickmesh_tickstore.governance import Governance

if TYPE_CHECKING:
    from collections.abc import Callable

BENCH = "evolution"
_SUBJECT = "bench.evolution"
_CALLS = 10_000
_ROWS = 65_536
_BATCHES = 16


def main() -> None:
    """Measure lookups and reads under a second version of the ticks."""
    with scratch() as folder, mesh(folder, "registry") as running:
        address = running.addresses["registry"]["grpc"]
        with RegistryClient(address) as registry:
            registry.register(_SUBJECT, SCHEMA)
            registry.register(_SUBJECT, _newer())
            governance = Governance(registry)
            _measure_lookups(governance)
            _measure_reads(governance)


def _newer() -> str:
    """A version that widens `side` and adds a venue with a default."""
    schema = json.loads(SCHEMA)
    schema["properties"]["side"] = {"type": "integer", "enum": [-1, 0, 1]}
    schema["properties"]["venue"] = {"enum": ["XNAS", "ARCX"], "default": "XNAS"}
    return json.dumps(schema)


def _measure_lookups(governance: Governance) -> None:
    lookups: dict[str, Callable[[], object]] = {
        "current_version": partial(governance.current, _SUBJECT),
        "version_of_a_put": partial(governance.schema_for, _SUBJECT),
    }
    found = medians({name: timed(partial(_repeat, call)) for name, call in lookups.items()})
    for name, seconds in found.items():
        report(BENCH, f"mapping_{name}", seconds / _CALLS * 1e6, "us", target=at_most(1))


def _repeat(call: Callable[[], object]) -> None:
    for _ in range(_CALLS):
        call()


def _measure_reads(governance: Governance) -> None:
    engine = MemoryEngine()
    for version in (1, 2):
        columns = governance.columns(_SUBJECT, version=version)
        keep: Any = engine.create_dataset if version == 1 else engine.add_reader
        keep(
            _SUBJECT,
            stamp=columns.stamp,
            schema=columns.schema,
            rules=columns.rules,
            generation=columns.generation,
        )
    written = governance.columns(_SUBJECT, version=1)
    for seed in range(_BATCHES):
        batch = tick_batch(_ROWS, seed=seed)
        engine.append(_SUBJECT, batch, stamp=written.stamp, judge=lambda _: None).result()
    reads = {
        version: timed(partial(_read, engine, version)) for version in ("written_under", "newer")
    }
    found = medians(reads)
    rows = _ROWS * _BATCHES / 1e6
    report(
        BENCH,
        "evolved_read_over_read_as_written",
        rows / found["newer"],
        "M rows/s",
        baseline=rows / found["written_under"],
    )
    engine.close()


def _read(engine: MemoryEngine, version: str) -> None:
    number = 1 if version == "written_under" else 2
    table = engine.scan(ScanRequest(dataset=_SUBJECT, reader_version=number)).read_all()
    assert table.num_rows == _ROWS * _BATCHES


if __name__ == "__main__":
    main()
