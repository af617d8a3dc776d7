"""A private Redis server, for tests that share it, stop it and break it."""

from __future__ import annotations

import asyncio
import shutil
import signal
from typing import TYPE_CHECKING

import redis.asyncio

from tests.support.frozen import freeze
from tests.support.held_port import HeldPort

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from pathlib import Path

_START_SECONDS = 120.0
_POLL_SECONDS = 0.02


class RedisServer:
    """A Redis of Debian's package on a loopback port of its own; keeps nothing on disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None
        self._held_port = HeldPort()
        self.port = self._held_port.number

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"redis://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        """Start it, on the same port every time, and wait until it answers."""
        program = shutil.which("redis-server")
        assert program is not None, "redis-server is missing: run `make deps`"
        self._process = await asyncio.create_subprocess_exec(
            program,
            *("--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self._folder)),
            *("--save", "", "--appendonly", "no"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(_START_SECONDS):
            while not await self._answers():
                assert self._process.returncode is None, "redis-server ended at once"
                await asyncio.sleep(_POLL_SECONDS)

    async def kill(self) -> None:
        """End it as a power cut would; what it held is gone."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        await self._process.wait()

    def freeze(self) -> None:
        """Let it answer nothing, with its connections open."""
        assert self._process is not None
        freeze(self._process.pid)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    async def stop(self) -> None:
        """End it, whatever state it is in."""
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    async def keys(self) -> list[bytes]:
        """Every key it holds."""
        async with redis.asyncio.Redis.from_url(self.url) as client:
            return [key async for key in client.scan_iter()]

    async def overwrite(self, key: bytes, value: bytes) -> None:
        """Put something else under a key."""
        async with redis.asyncio.Redis.from_url(self.url) as client:
            await client.set(key, value)

    async def _answers(self) -> bool:
        try:
            async with redis.asyncio.Redis.from_url(self.url) as client:
                ping: Awaitable[bool] = client.ping()
                return await ping
        except redis.exceptions.ConnectionError:
            return False

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)
