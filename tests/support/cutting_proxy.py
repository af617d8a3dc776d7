"""A proxy before PostgreSQL that cuts a connection, or stands still as a stopped process does."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_COMMIT = b"COMMIT;"
_CHUNK = 1 << 16
_AT_ONCE_SECONDS = 0.1


class Cut(Enum):
    """Where the next commit is cut off."""

    NOWHERE = "nowhere"
    BEFORE_THE_SERVER = "before the server"
    AFTER_THE_SERVER = "after the server"


class CuttingProxy:
    """Forwards connections to PostgreSQL on loopback; cuts one of them when told to.

    Attributes:
        cut: Where the next commit is cut off.
        requests_left: How many pieces of all connections still reach the server before one is cut
            off instead; none for all.
        freezes_after: After how many pieces of all connections nothing passes any more in either
            direction, until it is thawed; none for never.
        frozen: Set when nothing passes.
        ends_late_seconds: How long a client has a server's last word before the connection's end.
        refuses: Whether every connection is cut off at once.
        cuts: How many connections were cut off at a commit or for `requests_left`.
    """

    def __init__(self, port: int) -> None:
        self._server_port = port
        self.cut = Cut.NOWHERE
        self.requests_left: int | None = None
        self.freezes_after: int | None = None
        self.frozen = asyncio.Event()
        self._passing = asyncio.Event()
        self._passing.set()
        self.ends_late_seconds = 0.0
        self.refuses = False
        self.cuts = 0
        self.port = 0
        self._connections: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[CuttingProxy]:
        """Listen while the block runs."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    def thaw(self) -> None:
        """Let everything pass that came meanwhile, and what comes."""
        self.freezes_after = None
        self._passing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        answers = asyncio.create_task(self._forward_answers(server_reader, writer))
        try:
            while not self.refuses and (chunk := await reader.read(_CHUNK)):
                await self._passing.wait()
                cut = self._cut_for(chunk)
                if cut is not Cut.NOWHERE:
                    self.cuts += 1
                    answers.cancel()
                    await asyncio.gather(answers, return_exceptions=True)  # one reads at a time
                if cut is not Cut.BEFORE_THE_SERVER:
                    server_writer.write(chunk)
                    await server_writer.drain()
                self._freeze_in_time()
                if cut is Cut.AFTER_THE_SERVER:
                    await server_reader.read(_CHUNK)  # it has committed
                if cut is not Cut.NOWHERE:
                    break
        except ConnectionError:
            pass
        finally:
            answers.cancel()
            await asyncio.gather(answers, return_exceptions=True)
            for end in (server_writer, writer):
                end.transport.abort()

    def _freeze_in_time(self) -> None:
        if self.freezes_after is None:
            return
        self.freezes_after -= 1
        if self.freezes_after == 0:
            self._passing.clear()
            self.frozen.set()

    def _cut_for(self, chunk: bytes) -> Cut:
        if self.requests_left is not None:
            self.requests_left -= 1
            if self.requests_left < 0:
                self.requests_left = None
                return Cut.BEFORE_THE_SERVER
        if _COMMIT not in chunk:
            return Cut.NOWHERE
        cut, self.cut = self.cut, Cut.NOWHERE
        return cut

    async def _forward_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                if not self._passing.is_set():
                    await self._passing.wait()
                    with suppress(TimeoutError):  # a process that goes on finds all of it at once
                        async with asyncio.timeout(_AT_ONCE_SECONDS):
                            chunk += await reader.read(_CHUNK)
                writer.write(chunk)
                await writer.drain()
        await asyncio.sleep(self.ends_late_seconds)
        writer.close()
