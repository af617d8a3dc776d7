"""A proxy before PostgreSQL that cuts a connection at the commit, before or after it happened."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_COMMIT = b"COMMIT;"
_CHUNK = 1 << 16


class Cut(Enum):
    """Where the next commit is cut off."""

    NOWHERE = "nowhere"
    BEFORE_THE_SERVER = "before the server"
    AFTER_THE_SERVER = "after the server"


class CuttingProxy:
    """Forwards connections to PostgreSQL on loopback; cuts one commit when told to."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self.cut = Cut.NOWHERE
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

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.current_task()
        assert connection is not None
        self._connections.add(connection)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        answers = asyncio.create_task(self._forward_answers(server_reader, writer))
        try:
            while chunk := await reader.read(_CHUNK):
                cut = self.cut if _COMMIT in chunk else Cut.NOWHERE
                if cut is not Cut.NOWHERE:
                    self.cut = Cut.NOWHERE
                    self.cuts += 1
                    answers.cancel()
                if cut is not Cut.BEFORE_THE_SERVER:
                    server_writer.write(chunk)
                    await server_writer.drain()
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

    async def _forward_answers(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                writer.write(chunk)
                await writer.drain()
        writer.close()
