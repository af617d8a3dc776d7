"""A TCP proxy that breaks what passes through it, on purpose and on command.

The faults are those of a bad network: latency with jitter, little bandwidth, slices, a wire that
holds everything back, a wire that is dead without saying so, resets, a peer that cannot be reached,
a close that comes late.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tests.chaos.patience import until
from tests.support.held_port import HeldPort

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

_CHUNK_BYTES = 64 << 10
_RESET = struct.pack("ii", 1, 0)


@dataclass
class Toxics:
    """What is wrong with the wire now; the default is a sound one.

    Attributes:
        latency_seconds: Added to every chunk, give or take `jitter_seconds`.
        bytes_per_second: Bandwidth each way; 0 is unlimited.
        slice_bytes: Chunks are cut into pieces of at most so many bytes; 0 is never.
        holding: Nothing passes; it comes through when the wire holds no more.
        close_seconds: The end of a connection is passed on so late.
    """

    latency_seconds: float = 0.0
    jitter_seconds: float = 0.0
    bytes_per_second: int = 0
    slice_bytes: int = 0
    holding: bool = False
    close_seconds: float = 0.0


class _Link:
    """One connection, both ways."""

    def __init__(
        self, proxy: FaultProxy, down: asyncio.StreamWriter, up: asyncio.StreamWriter
    ) -> None:
        self._proxy = proxy
        self._sides = (down, up)
        self.dead = False

    async def run(
        self, from_client: asyncio.StreamReader, from_server: asyncio.StreamReader
    ) -> None:
        down, up = self._sides
        ways = [
            asyncio.create_task(self._pump(from_client, up)),
            asyncio.create_task(self._pump(from_server, down)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.sleep(self._proxy.toxics.close_seconds)
            await until(lambda: not self.dead)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for side in self._sides:
                side.close()

    def reset(self) -> None:
        """End both sides with RST."""
        for side in self._sides:
            raw = side.get_extra_info("socket")
            if raw is not None and raw.fileno() >= 0:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            side.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                await self._pass(chunk, writer)
        except OSError:
            return

    async def _pass(self, chunk: bytes, writer: asyncio.StreamWriter) -> None:
        toxics = self._proxy.toxics
        size = toxics.slice_bytes or len(chunk)
        for start in range(0, len(chunk), size):
            piece = chunk[start : start + size]
            delay = toxics.latency_seconds
            if toxics.jitter_seconds:
                delay += self._proxy.rng.uniform(-1, 1) * toxics.jitter_seconds
            if toxics.bytes_per_second:
                delay += len(piece) / toxics.bytes_per_second
            if delay > 0:
                await asyncio.sleep(delay)
            elif toxics.slice_bytes:
                await asyncio.sleep(0)
            await until(lambda: not (toxics.holding or self.dead))
            writer.write(piece)
            await writer.drain()


class FaultProxy:
    """Listens on a port of its own and passes bytes on to wherever `upstream` says.

    Args:
        upstream: The address behind, asked for every connection, as `host:port`.
        rng: For jitter.
    """

    def __init__(self, upstream: Callable[[], str], *, rng: random.Random) -> None:
        self.toxics = Toxics()
        self.rng = rng
        self._upstream = upstream
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = HeldPort()

    @property
    def address(self) -> str:
        """Where clients connect to."""
        return f"127.0.0.1:{self._port.number}"

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def up(self) -> None:
        """Take connections, at the port it always had."""
        if self._server is None:
            port = self._port.number
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", port)

    async def down(self) -> None:
        """Refuse connections and reset those there are."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset()

    def heal(self) -> None:
        """A sound wire again; dead links stay dead, as they do where a router forgot them."""
        self.toxics.__dict__.update(Toxics().__dict__)

    def reset(self) -> None:
        """End all connections with RST."""
        for link in list(self._links):
            link.reset()

    def cut_silently(self) -> None:
        """From now on nothing passes on the connections there are, not even their end."""
        for link in self._links:
            link.dead = True

    @property
    def dead_links(self) -> int:
        """Connections that are dead without saying so."""
        return sum(link.dead for link in list(self._links))  # other threads may ask

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._upstream().rsplit(":", 1)
        try:
            from_server, up = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.close()
            return
        link = _Link(self, writer, up)
        self._links.add(link)
        try:
            await link.run(reader, from_server)
        finally:
            self._links.discard(link)
