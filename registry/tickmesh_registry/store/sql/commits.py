"""What a write does to the tables, as plain functions of a connection: the same on every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, bindparam, delete, update

from tickmesh_registry.domain.errors import StoreUnavailableError
from tickmesh_registry.store import Head

from . import tables
from .queries import read_head
from .writer import Writer

if TYPE_CHECKING:
    from tickmesh_registry.domain.changes import Revision
    from tickmesh_registry.store.staging import StagedWrites


_BUMP_CLOCK = (
    update(tables.registry_clock)
    .where(tables.registry_clock.c.revision == bindparam("from_revision"))
    .values(revision=bindparam("to_revision"), changed_at_ns=bindparam("at_ns"))
)


def write_staged(head: Head, staged: StagedWrites, connection: Connection) -> Revision | None:
    """Write everything staged on top of `head`, but for the counter row."""
    return Writer(connection, head).write(staged)


def bump_clock(before: Head, after: Head, connection: Connection) -> None:
    """Move the counter row: the last statement of every write.

    Raises:
        StoreUnavailableError: Somebody moved it who did not hold it.
    """
    bumped = connection.execute(
        _BUMP_CLOCK,
        {
            "from_revision": before.revision,
            "to_revision": after.revision,
            "at_ns": after.changed_at_ns,
        },
    )
    if bumped.rowcount != 1:
        raise StoreUnavailableError("another writer moved the store; retry")


def compact_log(revision: int, forget_before_ns: int, connection: Connection) -> Head:
    """Drop changes up to `revision` and records older than an instant; where the store is then."""
    for statement in (
        delete(tables.change_log).where(tables.change_log.c.revision <= revision),
        delete(tables.completed_requests).where(
            tables.completed_requests.c.completed_at_ns < forget_before_ns
        ),
        delete(tables.refusals).where(tables.refusals.c.refused_at_ns < forget_before_ns),
        update(tables.registry_clock).values(compact_revision=revision),
    ):
        connection.execute(statement)
    return read_head(connection)


def head_after(head: Head, revision: Revision | None) -> Head:
    """Where a store stands that stood at `head` before `revision`."""
    if revision is None:
        return head
    return Head(
        epoch=head.epoch,
        revision=revision.revision,
        compact_revision=head.compact_revision,
        changed_at_ns=revision.changes[-1].changed_at_ns,
    )
