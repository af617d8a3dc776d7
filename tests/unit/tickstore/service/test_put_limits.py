"""T11: what the put streams of a dataset may use, and how one over a limit is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from tests.support.ticks import DATASET, SCHEMA, VERSION_1, put, ticks
from tickmesh_tickstore.dataset_settings import DatasetSettings, SettingsDirectory
from tickmesh_tickstore.domain.retention import DatasetLimits
from tickmesh_tickstore.engine import MemoryEngine
from tickmesh_tickstore.errors import LimitReachedError
from tickmesh_tickstore.put_limits import PutLimits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass
class HandClock:
    """A clock that stands still until it is set."""

    at_ns: int = 0

    def now_ns(self) -> int:
        return self.at_ns

    def monotonic_ns(self) -> int:
        return self.at_ns


@pytest.fixture
def settings(tmp_path: Path) -> SettingsDirectory:
    return SettingsDirectory(tmp_path / "settings")


@pytest.fixture
def engine() -> Iterator[MemoryEngine]:
    engine = MemoryEngine()
    engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    yield engine
    engine.close()


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def limits(engine: MemoryEngine, settings: SettingsDirectory, clock: HandClock) -> PutLimits:
    return PutLimits(engine=engine, settings=settings, clock=clock)


def allow(settings: SettingsDirectory, limits: DatasetLimits) -> None:
    settings.change(DATASET, lambda present: replace(present, limits=limits))


def test_t11_one_stream_more_than_a_dataset_takes_is_worth_a_retry(
    limits: PutLimits, settings: SettingsDirectory
) -> None:
    allow(settings, DatasetLimits(max_put_streams=2))
    with limits.stream(DATASET), limits.stream("another"):
        with limits.stream(DATASET):
            with pytest.raises(LimitReachedError) as caught, limits.stream(DATASET):
                pass
            assert caught.value.reason == "LIMIT_EXCEEDED"
            assert caught.value.retry_after_seconds
            assert caught.value.metadata["limit"] == "2"
        with limits.stream(DATASET):
            pass
    with limits.stream(DATASET), limits.stream(DATASET):
        pass


def test_t11_a_dataset_over_its_bytes_takes_no_new_stream(
    limits: PutLimits, settings: SettingsDirectory, engine: MemoryEngine
) -> None:
    allow(settings, DatasetLimits(max_bytes=1))
    with limits.stream(DATASET):
        put(engine, ticks(10))
    for _ in range(2):
        with pytest.raises(LimitReachedError) as caught, limits.stream(DATASET):
            pass
        assert caught.value.metadata["what"] == "dataset_bytes"
    settings.put(DATASET, DatasetSettings())
    with limits.stream(DATASET):
        pass


def test_t11_a_running_stream_is_told_within_a_second_that_its_dataset_is_full(
    limits: PutLimits, settings: SettingsDirectory, engine: MemoryEngine, clock: HandClock
) -> None:
    allow(settings, DatasetLimits(max_bytes=1))
    with limits.stream(DATASET) as allowance:
        allowance.check()
        put(engine, ticks(10))
        clock.at_ns += 1_000_000_000
        with pytest.raises(LimitReachedError):
            allowance.check()


def test_a_dataset_that_is_not_there_yet_has_room(
    limits: PutLimits, settings: SettingsDirectory
) -> None:
    settings.change("new", lambda present: replace(present, limits=DatasetLimits(max_bytes=1)))
    with limits.stream("new"):
        pass
