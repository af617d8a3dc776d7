"""Where the official suites and recorded data lie, beside the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def shared_folder(name: str) -> Path:
    """A folder of the data beside the project; the test is skipped where there is none."""
    root = os.environ.get("TICKMESH_SHARED")
    beside = Path(__file__).resolve().parents[2].parent / "shared"
    folder = (Path(root) if root else beside) / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not beside the project; set TICKMESH_SHARED")
    return folder
