"""Real servers for tests: processes on loopback, free ports, temporary homes."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).resolve().parents[2]
_START_SECONDS = 120.0


def program(name: str) -> str:
    """A program that `make test` installed beside this Python, or one on the PATH."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    assert found, f"{name} is not installed; `make test` installs it"
    return found


def kill(mesh: Mesh, service: str, number: int = signal.SIGKILL) -> int:
    """Send a service a signal that ends it; one that is away is waited for. Returns who got it."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        pid = mesh.pid(service)
        if pid is not None:
            with suppress(ProcessLookupError):  # it ended just now, by an earlier signal
                os.kill(pid, number)
                return pid
        assert time.monotonic() < deadline, f"{service} does not come back: {mesh.failure}"
        time.sleep(0.01)


@contextmanager
def mesh_for_the_command_line(
    home: Path, *, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Mesh]:
    """A whole mesh that clients and commands of this process, and its children, find by default.

    Files below `home / "sources"` are read by the cleaner in place.

    Args:
        home: Its home.
        settings: Further settings.
    """
    sources = home / "sources"
    sources.mkdir(parents=True)
    settings = {"cleaner.sources.roots": str(sources), **settings}
    with (
        Mesh(home, settings=settings, free_ports=True) as mesh,
        pytest.MonkeyPatch.context() as patch,
    ):
        for name, value in mesh.client_environment.items():
            patch.setenv(name, value)
        yield mesh
