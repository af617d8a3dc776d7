"""Bugs in what is made durable, and when the world hears of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.chaos.mutants.mutant import Mutant
from tickmesh_registry.store.sql import group, store
from tickmesh_registry.store.sql.reader import SqlReader, SqlTransaction
from tickmesh_registry.store.write_line import WriteLine
from tickmesh_registry.watch import WatchHub

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from tickmesh_registry.store import BasisQuestion, Committed, Head, RegistrationBasis
    from tickmesh_registry.store.sql.group import Outcome
    from tickmesh_registry.store.sql.reader import Runner
    from tickmesh_registry.store.write_line import Body

_COMMIT_SECONDS = 60.0
_SOON_COMMITTED = 3
"""How many commits of a process take no time: the next one is still under way in a crash."""


def published_before_commit() -> None:
    """Watchers hear of a revision while it is being committed."""
    hubs: list[WatchHub] = []
    published = 0
    start = WatchHub.start
    run_group = group.run_group

    async def known(self: WatchHub) -> None:
        await start(self)
        hubs.append(self)

    async def eager(
        bodies: Sequence[Body], *, head: Head, connection: Connection, runner: Runner
    ) -> Sequence[Outcome]:
        nonlocal published
        outcomes = await run_group(bodies, head=head, connection=connection, runner=runner)
        for outcome in outcomes:
            if not isinstance(outcome, Exception) and outcome.revision is not None:
                hubs[0].publish(outcome.revision, outcome.head)
                published += 1
        if published > _SOON_COMMITTED:
            await asyncio.sleep(_COMMIT_SECONDS)
        return outcomes

    WatchHub.start = known  # type: ignore[method-assign]
    store.run_group = eager  # type: ignore[attr-defined] # the name it is called by


def acknowledged_write_lost() -> None:
    """Every fifth commit is answered and rolled back."""
    tell = WriteLine._tell
    commits = 0

    def forgetful(connection: Connection) -> None:
        nonlocal commits
        commits += 1
        if commits % 5 == 0:
            connection.rollback()
            connection.begin()

    def quiet(self: WriteLine, committed: Committed[Any]) -> None:
        if commits % 5:
            tell(self, committed)

    store._nothing_more = forgetful
    WriteLine._tell = quiet  # type: ignore[method-assign]


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
