"""The jobs a cleaner knows."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, func, select, update

from tickmesh_cleaner.domain.errors import JobNotFoundError
from tickmesh_cleaner.domain.job import Job, JobRequest, JobState
from tickmesh_cleaner.domain.job_event import EVENTS_KEPT, JobEvent
from tickmesh_cleaner.store.job_rows import job_of_row, row_of_job
from tickmesh_cleaner.store.leases import take_lease
from tickmesh_cleaner.store.source_rows import text_of_events
from tickmesh_cleaner.store.tables import JOBS, PRODUCER_HOLDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_cleaner.domain.job_source import SourceIdentity
    from tickmesh_cleaner.store.database import Database

_ENDED = tuple(state.value for state in JobState if state.ended)


class JobStore:
    """Makes, finds and moves jobs. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, job: Job) -> Job:
        """Keep a new job, or answer the one made earlier under the same request id."""
        with self._database.write() as connection:
            return insert_job(connection, job)

    def get(self, job_id: str) -> Job:
        """One job.

        Raises:
            JobNotFoundError: No job has this id.
        """
        with self._database.read() as connection:
            return read_job(connection, job_id)

    def by_request_id(self, request_id: str) -> Job | None:
        """The job made under this request id, if any."""
        with self._database.read() as connection:
            row = (
                connection.execute(select(JOBS).where(JOBS.c.request_id == request_id))
                .mappings()
                .first()
            )
        return job_of_row(row) if row else None

    def page(
        self, *, limit: int, before_number: int | None, state: JobState | None, subject: str
    ) -> tuple[list[Job], int | None]:
        """Jobs, newest first.

        Args:
            limit: At most this many.
            before_number: Only jobs made before the one with this number.
            state: Only jobs in this state.
            subject: Only jobs of this subject; all when empty.

        Returns:
            The jobs, and the number to go on before; None on the last page.
        """
        query = select(JOBS).order_by(JOBS.c.number.desc()).limit(limit + 1)
        if before_number is not None:
            query = query.where(JOBS.c.number < before_number)
        if state is not None:
            query = query.where(JOBS.c.state == state.value)
        if subject:
            query = query.where(JOBS.c.subject == subject)
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        more = len(rows) > limit
        return [job_of_row(row) for row in rows[:limit]], rows[limit - 1][
            "number"
        ] if more else None

    def unfinished(self) -> list[Job]:
        """All jobs that have not ended, oldest first."""
        query = select(JOBS).where(JOBS.c.state.not_in(_ENDED)).order_by(JOBS.c.number)
        with self._database.read() as connection:
            return [job_of_row(row) for row in connection.execute(query).mappings()]

    def count_unfinished(self) -> int:
        """How many jobs have not ended."""
        query = select(func.count()).select_from(JOBS).where(JOBS.c.state.not_in(_ENDED))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def request(self, job_id: str, requested: JobRequest) -> Job:
        """Note what is asked of a job; the runner obeys at the next checkpoint."""
        return self._change(job_id, requested=requested.value)

    def take_over(self, job_id: str, owner: str, *, now_ns: int = 0, until_ns: int = 0) -> Job:
        """Make a process the owner of a job: from now on nobody else's writes to it count.

        Args:
            job_id: The job.
            owner: The process.
            now_ns: Now.
            until_ns: When its lease is over, unless renewed: others may then take over.

        Raises:
            LeaseHeldError: Another process owns it, and its lease is not over.
        """
        with self._database.write() as connection:
            read_job(connection, job_id)
            take_lease(connection, job_id, owner, now_ns=now_ns, until_ns=until_ns)
            return read_job(connection, job_id)

    def move(
        self,
        job_id: str,
        state: JobState,
        *,
        owner: str,
        message: str = "",
        error_reason: str = "",
        ended_at_ns: int = 0,
    ) -> Job:
        """Put a job into a state, if this owner still owns it."""
        return self._change(
            job_id,
            owner=owner,
            state=state.value,
            message=message,
            error_reason=error_reason,
            ended_at_ns=ended_at_ns,
        )

    def note_event(self, job_id: str, event: JobEvent, *, owner: str) -> Job:
        """Keep something that happened to a job's source or schema; the oldest ones are dropped."""
        with self._database.write() as connection:
            job = read_job(connection, job_id)
            check_owner(job, owner)
            add_event(connection, job, event)
            return read_job(connection, job_id)

    def identify(
        self, job_id: str, *, owner: str, producer_id: str, identity: SourceIdentity
    ) -> Job:
        """Note what the source held when the job first read it, and its producer."""
        return self._change(
            job_id,
            owner=owner,
            producer_id=producer_id,
            identity=json.dumps(asdict(identity)),
        )

    def note_stored_before(self, job_id: str, *, owner: str, sequence: int) -> Job:
        """Note how far the producer had come before this job sent anything."""
        return self._change(job_id, owner=owner, stored_before=sequence)

    def note_layout(self, job_id: str, *, owner: str, layout: str, names: Sequence[str]) -> Job:
        """Note the spec in effect and the names a header gave.

        By them alone single records can be decoded later, when the source itself may be gone.
        """
        return self._change(
            job_id,
            owner=owner,
            layout=layout,
            column_names=json.dumps(list(names)),
        )

    def approve(self, job_id: str, version: int) -> Job:
        """Let a job paused by a breaking change go on, up to this schema version."""
        return self._change(job_id, approved_version=version)

    def hold_producer(self, job: Job) -> Job | None:
        """Give a job its producer's numbering until the job has ended, or ended with that source.

        Returns:
            The job that has the numbering and has not ended; None once it is this job's.
        """
        of_producer = PRODUCER_HOLDS.c.producer_id == job.producer_id
        holder = (
            select(JOBS)
            .join(PRODUCER_HOLDS, PRODUCER_HOLDS.c.job_id == JOBS.c.id)
            .where(of_producer, JOBS.c.id != job.id, JOBS.c.state.not_in(_ENDED))
        )
        with self._database.write() as connection:
            row = connection.execute(holder).mappings().first()
            if row is not None:
                return job_of_row(row)
            connection.execute(delete(PRODUCER_HOLDS).where(of_producer))
            connection.execute(
                PRODUCER_HOLDS.insert().values(producer_id=job.producer_id, job_id=job.id)
            )
        return None

    def _change(self, job_id: str, *, owner: str | None = None, **values: object) -> Job:
        """Change a job; where an owner is given, only if it still owns the job."""
        with self._database.write() as connection:
            job = read_job(connection, job_id)
            if owner is not None:
                check_owner(job, owner)
            connection.execute(update(JOBS).where(JOBS.c.id == job_id).values(**values))
            return read_job(connection, job_id)


class OwnershipLostError(Exception):
    """Another process owns the job now: this one must stop working on it."""


def check_owner(job: Job, owner: str) -> None:
    """Raise OwnershipLostError unless the job is still this owner's."""
    if job.owner != owner:
        raise OwnershipLostError(f"job {job.id} is owned by {job.owner!r}, no longer by {owner!r}")


def read_job(connection: Connection, job_id: str) -> Job:
    """One job within a transaction."""
    row = connection.execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().first()
    if row is None:
        raise JobNotFoundError(job_id)
    return job_of_row(row)


def add_event(connection: Connection, job: Job, event: JobEvent) -> None:
    """Keep an event of a job within a transaction."""
    events = text_of_events([*job.events, event][-EVENTS_KEPT:])
    connection.execute(update(JOBS).where(JOBS.c.id == job.id).values(events=events))


def insert_job(connection: Connection, job: Job) -> Job:
    """Keep a new job within a transaction, or answer the one of the same request id."""
    if job.request_id:
        query = select(JOBS).where(JOBS.c.request_id == job.request_id)
        row = connection.execute(query).mappings().first()
        if row is not None:
            return job_of_row(row)
    number = connection.execute(select(func.coalesce(func.max(JOBS.c.number), 0))).scalar_one() + 1
    connection.execute(JOBS.insert().values(number=number, **row_of_job(job)))
    return job
