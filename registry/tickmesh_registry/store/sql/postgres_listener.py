"""The one connection that hears of commits by others, and that says this registry is serving."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from typing import TYPE_CHECKING

import asyncpg
import structlog

from tickmesh_registry.domain.errors import StoreUnavailableError

from .postgres_cluster import TRY_LOCK_SHARED_FOR_SERVING
from .postgres_session import DRIVER_ERRORS, unavailable_on_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.registry")

_CHANNEL = "tickmesh_registry"
_CHECK_SECONDS = 10.0
_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 5.0


class CommitListener:
    """Listens for hints; what is lost while it is not connected, the poll finds.

    Args:
        connect: Opens a connection to the cluster the store lives in.
        heard: Takes the server process that committed, the epoch and the revision.
        connected: Called after each connection: hints may have been lost before it.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[asyncpg.Connection]],
        *,
        heard: Callable[[int, str, int], None],
        connected: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._heard = heard
        self._connected = connected
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen once, so that a failure is seen; then go on for as long as it takes.

        Raises:
            StoreUnavailableError: PostgreSQL does not answer, or a restore is under way.
        """
        connection, ended = await self._listen()
        self._task = asyncio.create_task(self._run(connection, ended))

    async def close(self) -> None:
        """Hang up."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def _run(self, connection: asyncpg.Connection, ended: asyncio.Event) -> None:
        while True:
            try:
                await self._stay(connection, ended)
            finally:
                connection.terminate()
            _log.warning("registry.store.listener.lost")
            connection, ended = await self._listen_again()
            _log.info("registry.store.listener.back")

    async def _stay(self, connection: asyncpg.Connection, ended: asyncio.Event) -> None:
        """Return when the connection is lost; a silent one is found by asking."""
        while not ended.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_SECONDS):
                    await ended.wait()
                    return
            try:
                await connection.execute("SELECT 1")
            except (OSError, TimeoutError, asyncpg.PostgresError, *DRIVER_ERRORS):
                return

    async def _listen_again(self) -> tuple[asyncpg.Connection, asyncio.Event]:
        seconds = _FIRST_RETRY_SECONDS
        while True:
            try:
                return await self._listen()
            except StoreUnavailableError:
                await asyncio.sleep(random.uniform(0.5, 1.0) * seconds)  # noqa: S311
                seconds = min(seconds * 2, _LAST_RETRY_SECONDS)

    async def _listen(self) -> tuple[asyncpg.Connection, asyncio.Event]:
        with unavailable_on_failure():
            connection = await self._connect()
            ended = asyncio.Event()
            try:
                connection.add_termination_listener(lambda _: ended.set())
                if not await connection.fetchval(TRY_LOCK_SHARED_FOR_SERVING):
                    raise StoreUnavailableError("the store is being restored; retry later")
                await connection.add_listener(_CHANNEL, self._notified)
            except BaseException:
                connection.terminate()
                raise
        self._connected()
        return connection, ended

    def _notified(
        self,
        connection: asyncpg.Connection,  # noqa: ARG002 - asyncpg's signature
        pid: int,
        channel: str,  # noqa: ARG002
        payload: str,
    ) -> None:
        epoch, _, revision = payload.rpartition(":")
        if revision.isdigit():
            self._heard(pid, epoch, int(revision))
