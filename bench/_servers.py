"""Real processes that benchmarks talk to: meshes of ours, and the baselines beside them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tickmesh_serving.mesh import Mesh, serve_command

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

REPOSITORY = Path(__file__).resolve().parents[1]
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


@contextmanager
def scratch(parent: Path = REPOSITORY / ".tickmesh") -> Iterator[Path]:
    """A folder that is thrown away; in this checkout, as temporary ones may be in memory."""
    parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(
        prefix="bench-", dir=parent, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@contextmanager
def mesh(
    home: Path,
    *services: str,
    settings: dict[str, str] | None = None,
    tick_store_module: str = "tickmesh",
) -> Iterator[Mesh]:
    """Some services on free ports, at their default settings but for those given.

    Args:
        home: Where they keep their data.
        services: Which, in the order in which they need each other.
        settings: By full key.
        tick_store_module: What runs as the tick store.
    """

    def command(service: str, home: Path) -> Sequence[str]:
        if service == "tickstore" and tick_store_module != "tickmesh":
            return (sys.executable, "-m", tick_store_module, "serve", "--data", str(home))
        return serve_command(service, home)

    running = Mesh(home, services=services, free_ports=True, settings=settings, command=command)
    running.start(timeout_seconds=_START_SECONDS)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def program(
    *command: object, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A process that is asked by lines, and ends when its standard input does.

    Args:
        command: What runs, and its arguments.
        environment: Variables beyond this process's own.
    """
    process = subprocess.Popen(
        [*map(str, command)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    assert process.stdin is not None
    try:
        yield process
    finally:
        process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def baseline(
    module: str, *arguments: object, python: Path | str = sys.executable
) -> AbstractContextManager[subprocess.Popen[str]]:
    """`python -m bench.MODULE` as a `program`."""
    return program(python, "-m", f"bench.{module}", *arguments)


@contextmanager
def baseline_server(module: str, *arguments: object) -> Iterator[str]:
    """A baseline that prints its port and serves; its address."""
    with baseline(module, *arguments) as process:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
