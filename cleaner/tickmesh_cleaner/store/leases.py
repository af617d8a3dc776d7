"""Who owns a job, and until when nobody else may take it.

A lease that is over is no longer in anybody's way, but its owner goes on until another takes the
job: from then on the ledger refuses what the old owner writes, and the sink its producer epoch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, select, update

from tickmesh_cleaner.domain.job import JobState
from tickmesh_cleaner.store.tables import JOBS, LEASES

if TYPE_CHECKING:
    from tickmesh_cleaner.store.database import Database

_ENDED = tuple(state.value for state in JobState if state.ended)


class LeaseHeldError(Exception):
    """Another process owns the job, and its lease is not over."""


class Leases:
    """Keeps, ends and finds leases. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def renew(self, owner: str, *, until_ns: int) -> None:
        """Extend all leases of an owner."""
        with self._database.write() as connection:
            connection.execute(
                update(LEASES).where(LEASES.c.owner == owner).values(until_ns=until_ns)
            )

    def give_up(self, job_id: str, *, owner: str) -> None:
        """End an owner's lease of a job, if it is still its own."""
        with self._database.write() as connection:
            connection.execute(
                delete(LEASES).where(LEASES.c.job_id == job_id, LEASES.c.owner == owner)
            )

    def end_all(self) -> None:
        """End every lease: for who knows that all owners are dead."""
        with self._database.write() as connection:
            connection.execute(delete(LEASES))

    def ownerless(self, *, now_ns: int) -> list[str]:
        """Ids of unfinished jobs that may be taken, oldest first."""
        held = select(LEASES.c.job_id).where(LEASES.c.until_ns > now_ns)
        query = (
            select(JOBS.c.id)
            .where(JOBS.c.state.not_in(_ENDED), JOBS.c.id.not_in(held))
            .order_by(JOBS.c.number)
        )
        with self._database.read() as connection:
            return list(connection.execute(query).scalars())


def take_lease(
    connection: Connection, job_id: str, owner: str, *, now_ns: int, until_ns: int
) -> None:
    """Give a job to an owner, within a transaction.

    Raises:
        LeaseHeldError: It is another's.
    """
    held = connection.execute(
        select(LEASES.c.owner).where(
            LEASES.c.job_id == job_id, LEASES.c.owner != owner, LEASES.c.until_ns > now_ns
        )
    ).scalar()
    if held is not None:
        raise LeaseHeldError(f"job {job_id} is owned by {held!r}")
    connection.execute(delete(LEASES).where(LEASES.c.job_id == job_id))
    connection.execute(LEASES.insert().values(job_id=job_id, owner=owner, until_ns=until_ns))
    connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(owner=owner))
