"""Who wrote the rows of a dataset, and for whom: read from the store's own files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_tickstore.engine import DiskEngine

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh_tickstore.domain.stamps import Origin


def stored_origins(directory: Path, dataset: str) -> set[Origin]:
    """The origins of all rows, as a process finds them that did not write them.

    Args:
        directory: of a tick store that is not running.
        dataset: the dataset.
    """
    engine = DiskEngine(directory)
    try:
        state = engine._find(dataset).state
        return {
            origin
            for part in (*state.sealed, *state.recent)
            for chunk in part.chunks()
            for _, origin in chunk.origins()
        }
    finally:
        engine.close()
