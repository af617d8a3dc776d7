"""The registry as a real process, for tests that kill it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import grpc.aio

from tests.support.frozen import freeze
from tests.support.held_port import HeldPort
from tickmesh.api.registry.v1 import schema_registry_service_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

Stub = Any  # the generated stub's async twin exists in the .pyi only

_COMMAND = "from tickmesh_registry.cli import command; command()"
_POLL_SECONDS = 0.02
_START_SECONDS = 120.0


class StartRegistry(Protocol):
    """Starts a registry that is ended with the test, whatever happens."""

    async def __call__(
        self, *, home: Path | None = None, environment: dict[str, str] | None = None
    ) -> RegistryProcess:
        """Start one over a home directory; the test's own by default."""
        ...


class RegistryProcess:
    """One registry process over a home directory; may be killed and started again.

    Args:
        home: Its home directory.
        environment: Variables beyond this process's own.
        program: What runs the registry's command line; the registry itself by default.
    """

    def __init__(
        self,
        home: Path,
        *,
        environment: Mapping[str, str] | None = None,
        program: Sequence[str] = (sys.executable, "-c", _COMMAND),
    ) -> None:
        self.home = home
        self._program = program
        self._environment = environment or {}
        self._process: asyncio.subprocess.Process | None = None
        # Its own between two lives, too: clients know it by its address.
        self._port = HeldPort()
        self.address = ""
        self.http_address = ""

    async def start(self) -> None:
        """Start it and wait until it serves; on the same port every time."""
        self.home.mkdir(exist_ok=True)
        ready = self.home / "ready.json"
        ready.unlink(missing_ok=True)
        with (self.home / "registry.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._program,
                "serve",
                "--data",
                str(self.home),
                "--grpc-port",
                str(self._port.number),
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

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def freeze(self) -> None:
        """Stop it where it stands; its connections stay open."""
        freeze(self.pid)

    def thaw(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def send_stop(self) -> None:
        """Ask it to end."""
        self.signal(signal.SIGTERM)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def resident_bytes(self) -> int | None:
        """Its anonymous and shared memory; None when it is not there."""
        if self._process is None or self._process.returncode is not None:
            return None
        try:
            lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        except OSError:
            return None
        kinds = ("RssAnon:", "RssShmem:")
        return sum(int(line.split()[1]) << 10 for line in lines if line.startswith(kinds))

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

    async def stop_or_kill(self, *, within_seconds: float = 10.0) -> None:
        """End it cleanly if it can, else as a power cut would."""
        if self._process is None:
            return
        try:
            async with asyncio.timeout(within_seconds):
                await self.stop()
        except TimeoutError:
            await self.kill()

    @asynccontextmanager
    async def stub(self, *options: tuple[str, Any]) -> AsyncIterator[Stub]:
        """A client on a channel of its own."""
        async with grpc.aio.insecure_channel(self.address, options=options) as channel:
            yield schema_registry_service_pb2_grpc.SchemaRegistryServiceStub(channel)
