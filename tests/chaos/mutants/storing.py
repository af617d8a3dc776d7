"""Bugs in what is made durable, and when the world hears of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.chaos.mutants.mutant import Mutant
from tickmesh_registry.domain.changes import Revision
from tickmesh_registry.store import Head
from tickmesh_registry.store.sql.connection import ConnectionThread
from tickmesh_registry.store.sql.reader import SqlReader, SqlTransaction
from tickmesh_registry.store.write_line import WriteLine
from tickmesh_registry.watch import WatchHub

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from sqlalchemy import Connection

    from tickmesh_registry.store import BasisQuestion, Committed, RegistrationBasis

_COMMIT_SECONDS = 0.3


def published_before_commit() -> None:
    """Watchers hear of a revision while it is being committed."""
    hubs: list[WatchHub] = []
    start = WatchHub.start
    publish = WatchHub.publish
    transact = ConnectionThread.transact

    async def known(self: WatchHub) -> None:
        await start(self)
        hubs.append(self)

    def once(self: WatchHub, revision: Revision, head: Head) -> None:
        if revision.revision > self.revision:
            publish(self, revision, head)

    async def eager(self: ConnectionThread, function: Callable[[Connection], Any]) -> Any:
        loop = asyncio.get_running_loop()

        def write(connection: Connection) -> Any:
            result = function(connection)
            if isinstance(result, Revision):
                head = Head(hubs[0].epoch, result.revision, hubs[0].compact_revision, 0)
                loop.call_soon_threadsafe(once, hubs[0], result, head)
                time.sleep(_COMMIT_SECONDS)
            return result

        return await transact(self, write)

    WatchHub.start = known  # type: ignore[method-assign]
    WatchHub.publish = once  # type: ignore[method-assign]
    ConnectionThread.transact = eager  # type: ignore[method-assign]


def acknowledged_write_lost() -> None:
    """Every fifth write is answered and rolled back."""
    transact = ConnectionThread._transact
    count = 0
    lost: set[int] = set()

    def forgetful(self: ConnectionThread, function: Callable[[Connection], Any]) -> Any:
        nonlocal count

        def write(connection: Connection) -> Any:
            nonlocal count
            result = function(connection)
            if isinstance(result, Revision):
                count += 1
                if count % 5 == 0:
                    lost.add(id(result))
                    connection.rollback()
                    connection.begin()
            return result

        return transact(self, write)

    async def quiet(self: WriteLine, work: Callable[[], Awaitable[Committed[Any]]]) -> Any:
        async with self._lock:
            committed = await work()
            if committed.revision is not None and id(committed.revision) not in lost:
                for listener in self._listeners:
                    listener(committed.revision, committed.head)
            return committed

    ConnectionThread._transact = forgetful  # type: ignore[method-assign]
    WriteLine._alone = quiet  # type: ignore[method-assign]


def retry_done_twice() -> None:
    """Nobody looks whether a request id was answered before."""
    basis = SqlReader.registration_basis

    async def forgotten(self: SqlReader, question: BasisQuestion) -> RegistrationBasis:
        return replace(await basis(self, question), completed=None)

    def forget(self: SqlTransaction, request: object) -> None:
        return None

    SqlReader.registration_basis = forgotten  # type: ignore[method-assign]
    SqlTransaction.set_completed_request = forget  # type: ignore[method-assign,assignment]


MUTANTS = (
    Mutant("published_before_commit", published_before_commit, "crash", "W10", frozenset({"W3"})),
    Mutant("acknowledged_write_lost", acknowledged_write_lost, "resume", "ACK", frozenset({"W10"})),
    Mutant("retry_done_twice", retry_done_twice, "retry", "ACK"),
)
