"""The registry as a real process, for tests that kill it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import grpc.aio

from tickmesh.api.registry.v1 import schema_registry_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

Stub = Any  # the generated stub's async twin exists in the .pyi only

_COMMAND = "from tickmesh_registry.cli import command; command()"
_POLL_SECONDS = 0.02
_START_SECONDS = 30.0


class StartRegistry(Protocol):
    """Starts a registry that is ended with the test, whatever happens."""

    async def __call__(
        self, *, home: Path | None = None, environment: dict[str, str] | None = None
    ) -> RegistryProcess:
        """Start one over a home directory; the test's own by default."""
        ...


class RegistryProcess:
    """One registry process over a home directory; may be killed and started again."""

    def __init__(self, home: Path, *, environment: dict[str, str] | None = None) -> None:
        self.home = home
        self._environment = environment or {}
        self._process: asyncio.subprocess.Process | None = None
        self.address = ""
        self.http_address = ""

    async def start(self) -> None:
        """Start it and wait until it serves."""
        self.home.mkdir(exist_ok=True)
        ready = self.home / "ready.json"
        ready.unlink(missing_ok=True)
        with (self.home / "registry.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                _COMMAND,
                "serve",
                "--data",
                str(self.home),
                "--grpc-port",
                "0",
                "--http-port",
                "0",
                "--ready-file",
                str(ready),
                stdout=log,
                stderr=log,
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                    **self._environment,
                },
            )
        async with asyncio.timeout(_START_SECONDS):
            while not ready.exists():
                if self._process.returncode is not None:
                    raise AssertionError(self.log())
                await asyncio.sleep(_POLL_SECONDS)
        addresses = json.loads(ready.read_text())
        self.address = addresses["grpc"]
        self.http_address = addresses["http"]

    def log(self) -> str:
        """What it has written so far."""
        return (self.home / "registry.log").read_text()

    async def logged(self, text: str) -> None:
        """Wait until its log says so; a log file has no other way to tell."""
        while text not in self.log():  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)

    async def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    def send_stop(self) -> None:
        """Ask it to end."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    async def wait(self) -> int:
        """Wait for its end; its exit code."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> int:
        """End it cleanly; its exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self.send_stop()
        return await self._process.wait()

    @asynccontextmanager
    async def stub(self, *options: tuple[str, Any]) -> AsyncIterator[Stub]:
        """A client on a channel of its own."""
        async with grpc.aio.insecure_channel(self.address, options=options) as channel:
            yield schema_registry_service_pb2_grpc.SchemaRegistryServiceStub(channel)
