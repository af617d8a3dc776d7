"""The sample service in this process, and as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc.aio
import pytest

from tests.integration.serving.sample_service import build
from tickmesh_serving.config import ServingConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from tickmesh_serving.server import ServiceProcess

PROGRAM = (sys.executable, "-m", "tests.integration.serving.sample_service")
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def server() -> AsyncIterator[ServiceProcess]:
    process = build(ServingConfig(drain_seconds=2.0), max_streams=4)
    await process.start()
    yield process
    await process.stop()


@pytest.fixture
async def channel(server: ServiceProcess) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(server.addresses["grpc"]) as channel:
        yield channel


@dataclass
class Child:
    """The sample service as a process."""

    process: subprocess.Popen[str]
    addresses: dict[str, str]


def child_environment() -> dict[str, str]:
    path = os.pathsep.join(entry for entry in [str(ROOT), *sys.path] if entry)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TICKMESH_")}
    return {**kept, "PYTHONPATH": path}


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., Child]]:
    with contextlib.ExitStack() as stack:

        def start(*options: str, section: str = "tickstore") -> Child:
            ready = tmp_path / f"{section}.json"
            process = subprocess.Popen(
                [
                    *PROGRAM,
                    section,
                    "serve",
                    f"--data={tmp_path}",
                    f"--ready-file={ready}",
                    *options,
                ],
                env=child_environment(),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(_end, process)
            deadline = time.monotonic() + 120
            while not ready.exists():
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < deadline
                time.sleep(0.02)
            content = json.loads(ready.read_text(encoding="utf-8"))
            assert content.pop("pid") == process.pid
            return Child(process, content)

        yield start


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()
