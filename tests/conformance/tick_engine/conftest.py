"""Every test here runs against every engine; on disk also with logs so small that all is sealed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.support.ticks import DATASET, SCHEMA, VERSION_1
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.engine import DiskEngine, MemoryEngine, TickEngine

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


@pytest.fixture(params=["memory", "disk", "disk-sealing"])
def make_engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeEngine]:
    opened: list[TickEngine] = []

    def make(limits: EngineLimits, *, now_ns: Callable[[], int] = time.time_ns) -> TickEngine:
        engine: TickEngine
        if request.param == "memory":
            engine = MemoryEngine(limits=limits, now_ns=now_ns)
        else:
            if request.param == "disk-sealing":
                limits = EngineLimits(
                    **{name: getattr(limits, name) for name in limits.__slots__} | {"log_bytes": 1}
                )
            engine = DiskEngine(tmp_path / str(len(opened)), limits=limits, now_ns=now_ns)
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
