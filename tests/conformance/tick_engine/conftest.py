"""Every test here runs against every engine.

On disk also with logs so small that all is sealed, and with all rows settled, in small segments,
before anybody reads.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tests.support.ticks import DATASET, SCHEMA, VERSION_1
from tickmesh_tickstore.domain.errors import (
    DatasetNotFoundError,
    DiskFullError,
    StoreFailedError,
)
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.requests import RangePayload, ScanRequest
from tickmesh_tickstore.engine import (
    DiskEngine,
    Follower,
    MemoryEngine,
    RowStream,
    ScanPlan,
    TickEngine,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class MakeEngine(Protocol):
    """Opens an engine of the kind under test."""

    def __call__(
        self, limits: EngineLimits, *, now_ns: Callable[[], int] = time.time_ns
    ) -> TickEngine:
        """Open one with some limits and a clock."""
        ...


class SettlingEngine(DiskEngine):
    """Settles everything before each read, and while others read."""

    def _settled(self, name: str) -> None:
        with suppress(DatasetNotFoundError, DiskFullError, StoreFailedError):
            self.compact(name, timeout_seconds=30)

    def scan(self, request: ScanRequest | RangePayload) -> RowStream:
        if isinstance(request, ScanRequest):
            self._settled(request.dataset)
        return super().scan(request)

    def plan(self, request: ScanRequest, *, max_endpoints: int = 1) -> ScanPlan:
        plan = super().plan(request, max_endpoints=max_endpoints)
        self._settled(request.dataset)
        return plan

    def follow(self, name: str, **options: Any) -> Follower:
        follower = super().follow(name, **options)
        self._settled(name)
        return follower


@pytest.fixture(params=["memory", "disk", "disk-sealing", "disk-settling"])
def make_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeEngine]:
    opened: list[TickEngine] = []

    def make(limits: EngineLimits, *, now_ns: Callable[[], int] = time.time_ns) -> TickEngine:
        engine: TickEngine
        if request.param == "memory":
            engine = MemoryEngine(limits=limits, now_ns=now_ns)
        else:
            kind = DiskEngine
            if request.param == "disk-sealing":
                limits = replace(limits, log_bytes=1)
            if request.param == "disk-settling":
                full = min(limits.settled_rows, 1_000)
                limits = replace(limits, settled_rows=full, settle_after_seconds=3_600.0)
                kind = SettlingEngine
            engine = kind(tmp_path / str(len(opened)), limits=limits, now_ns=now_ns)
        opened.append(engine)
        return engine

    yield make
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(make_engine: MakeEngine) -> TickEngine:
    engine = make_engine(EngineLimits())
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    return engine
