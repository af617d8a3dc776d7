"""Where the official suites and recorded data lie, beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def find_shared_folder(name: str) -> Path | None:
    """A folder of the data beside the project, None where there is none."""
    root = os.environ.get("TICKMESH_SHARED")
    beside = Path(__file__).resolve().parents[2].parent / "shared"
    folder = (Path(root) if root else beside) / name
    return folder if folder.is_dir() else None


def shared_folder(name: str) -> Path:
    """A folder of the data beside the project; the test is skipped where there is none."""
    folder = find_shared_folder(name)
    if folder is None:
        pytest.skip(f"{name} is not beside the project; set TICKMESH_SHARED")
    return folder
