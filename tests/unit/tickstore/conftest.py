"""A store on disk that is opened, left and opened again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.ticks import DATASET, SCHEMA, VERSION_1
from tickmesh_tickstore.engine import DiskEngine

if TYPE_CHECKING:
    from pathlib import Path

OpenStore = Callable[..., DiskEngine]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenStore]:
    """Open the store in `tmp_path`, closing the one opened before; the dataset is there."""
    opened: list[DiskEngine] = []

    def open_again(**options: Any) -> DiskEngine:
        for engine in opened:
            engine.close()
        engine = DiskEngine(tmp_path / "store", **options)
        opened.append(engine)
        if not engine.datasets():
            engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
        return engine

    yield open_again
    for engine in opened:
        engine.close()


def logs(root: Path) -> list[Path]:
    """The write-ahead logs of the only dataset, oldest first."""
    return sorted(root.glob("store/datasets/*/logs/*.log"))


def segments(root: Path) -> list[Path]:
    """The segments of the only dataset."""
    return sorted(root.glob("store/datasets/*/segments/*"))
