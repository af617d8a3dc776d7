"""A real mesh for your own tests: the same servers, on free ports, in a home that is thrown away.

    import pytest
    from tickmesh.testing import running_mesh

    @pytest.fixture(scope="session")
    def mesh():
        with running_mesh() as mesh:
            yield mesh

    def test_something(mesh):
        with RegistryClient(config=mesh.config) as registry:
            ...

The servers need the extra `tickmesh[server]`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from tickmesh.config import ClientConfig, load_client_config
from tickmesh.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence


class _Ready(TypedDict):
    """What `tickmesh up` writes once the mesh serves."""

    pid: int
    addresses: dict[str, dict[str, str]]
    client_environment: dict[str, str]


_STOP_SECONDS = 60.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class RunningMesh:
    """A mesh that runs for the length of a `with` block."""

    home: Path
    """Where its data and logs are."""
    config: ClientConfig
    """For the clients: `RegistryClient(config=mesh.config)`."""
    environment: Mapping[str, str]
    """Variables with which a child process or the command line finds the mesh."""
    addresses: Mapping[str, Mapping[str, str]]
    """By service and kind of listener (`grpc`, `flight`, `http`): `host:port`."""


@contextlib.contextmanager
def running_mesh(
    *,
    home: Path | None = None,
    settings: Mapping[str, str] | None = None,
    timeout_seconds: float = 60.0,
) -> Iterator[RunningMesh]:
    """Run registry, tick store and cleaner while the block runs.

    Args:
        home: where to keep data and logs; a temporary folder, removed at the end, by default.
        settings: by full key, as in `{"tickstore.serving.drain_seconds": "1"}`.
        timeout_seconds: how long the start may take.

    Raises:
        UnavailableError: the mesh did not start; the message holds what it said.
    """
    with contextlib.ExitStack() as stack:
        if home is None:
            folder = tempfile.TemporaryDirectory(prefix="tickmesh-", ignore_cleanup_errors=True)
            home = Path(stack.enter_context(folder))
        home.mkdir(parents=True, exist_ok=True)
        output = stack.enter_context((home / "up.log").open("w+", encoding="utf-8"))
        ready_file = home / "run" / "mesh.json"
        ready_file.unlink(missing_ok=True)
        process = subprocess.Popen(  # noqa: S603 - our own command line
            _command(home, ready_file, settings or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        stack.callback(_stop, process)
        ready = _await_ready(process, ready_file, timeout_seconds=timeout_seconds)
        if ready is None:
            output.seek(0)
            raise UnavailableError(
                f"the mesh did not start: {output.read().strip()}", reason="NOT_READY"
            )
        environment = ready["client_environment"]
        yield RunningMesh(
            home=home,
            config=load_client_config(home=home, environ={**os.environ, **environment}),
            environment=environment,
            addresses=ready["addresses"],
        )


def _command(home: Path, ready_file: Path, settings: Mapping[str, str]) -> Sequence[str]:
    chosen = [f"--set={key}={value}" for key, value in settings.items()]
    start = [sys.executable, "-m", "tickmesh", "up", "--free-ports"]
    return [*start, f"--data={home}", f"--ready-file={ready_file}", *chosen]


def _await_ready(
    process: subprocess.Popen[bytes], ready_file: Path, *, timeout_seconds: float
) -> _Ready | None:
    deadline = time.monotonic() + timeout_seconds
    while process.poll() is None and time.monotonic() < deadline:
        try:
            found: _Ready = json.loads(ready_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            time.sleep(_POLL_SECONDS)
        else:
            return found
    return None


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
