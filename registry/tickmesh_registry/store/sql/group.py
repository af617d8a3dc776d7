"""Several bodies in one database transaction, each its own revision, whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import DBAPIError

from tickmesh_registry.store import Committed

from .commits import bump_clock, head_after, write_staged
from .queries import Queries
from .reader import SqlTransaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Connection

    from tickmesh_registry.store import Head
    from tickmesh_registry.store.write_line import Body

    from .reader import Runner

    Outcome = Committed[Any] | Exception


class WriteRefusedError(Exception):
    """What a body staged could not be written, so nothing of the group may be committed.

    Attributes:
        cause: Why, for the caller of that body.
    """

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


async def run_group(
    bodies: Sequence[Body], *, head: Head, connection: Connection, runner: Runner
) -> Sequence[Outcome]:
    """Run bodies one after the other, each on top of what the ones before it wrote.

    Args:
        bodies: A body that raises has written nothing: its error is its outcome, and the others go
            on.
        head: Where the store stands, and stays until this transaction ends.
        connection: In the transaction, which the caller commits.
        runner: Runs functions of the connection.

    The counter row is moved once, by the last statement, to where the last body led.

    Raises:
        WriteRefusedError: A write failed, and left what must be rolled back.
        DBAPIError: The database failed.
    """
    outcomes: list[Outcome] = []
    before = head
    for body in bodies:
        transaction = SqlTransaction(runner, Queries(connection, head))
        try:
            result = await body(transaction)
        except (DBAPIError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - the body's own, for its caller
            outcomes.append(error)
            continue
        revision = None
        if not transaction.is_empty:
            try:
                revision = await runner.run(write_staged, head, transaction, connection)
            except (DBAPIError, OSError):
                raise
            except Exception as error:
                raise WriteRefusedError(error) from error
        head = head_after(head, revision)
        outcomes.append(Committed(result, head, revision))
    if head.revision > before.revision:
        await runner.run(bump_clock, before, head, connection)
    return outcomes


async def one_by_one(
    bodies: Sequence[Body],
    commit_together: Callable[[Sequence[Body]], Awaitable[Sequence[Outcome]]],
) -> Sequence[Outcome]:
    """Commit bodies together or, when one of them cannot be written, each by itself.

    Args:
        bodies: May run a second time.
        commit_together: Commits all or nothing; raises WriteRefusedError for nothing.
    """
    try:
        return await commit_together(bodies)
    except WriteRefusedError as refused:
        if len(bodies) == 1:
            return [refused.cause]
    return [outcome for body in bodies for outcome in await one_by_one([body], commit_together)]
