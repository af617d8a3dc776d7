"""The files of jobs that clean several, one after the other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Select, delete, func, select, update

from tickmesh_cleaner.domain.balance import Balance
from tickmesh_cleaner.domain.job_event import JobEvent
from tickmesh_cleaner.domain.job_file import JobFile, JobFileState
from tickmesh_cleaner.store.jobs import add_event, check_owner, read_job
from tickmesh_cleaner.store.tables import INTENTS, JOB_FILES, JOBS, PRODUCER_HOLDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import RowMapping

    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.store.database import Database

_ENDED = JobFileState.ENDED.value


class JobFileStore:
    """Lists, finds and ends the files of jobs. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def enter(self, files: Sequence[JobFile]) -> None:
        """Keep the files of a job, once and for all."""
        rows = [
            {
                "job_id": file.job_id,
                "part": file.part,
                "path": file.path,
                "name": file.name,
                "size_bytes": file.size_bytes,
                "state": file.state.value,
                "producer_id": "",
                "layout": "",
                "column_names": "[]",
                "stored_before": None,
                "balance_before": "",
            }
            for file in files
        ]
        with self._database.write() as connection:
            connection.execute(JOB_FILES.insert(), rows)

    def listed(self, job_id: str) -> bool:
        """Whether the files of a job are kept."""
        query = select(func.count()).where(JOB_FILES.c.job_id == job_id)
        with self._database.read() as connection:
            return bool(connection.execute(query).scalar_one())

    def of_job(self, job_id: str) -> list[JobFile]:
        """All files of a job in the order they are cleaned; none before it first ran."""
        query = select(JOB_FILES).where(JOB_FILES.c.job_id == job_id).order_by(JOB_FILES.c.part)
        with self._database.read() as connection:
            return [_file(row) for row in connection.execute(query).mappings()]

    def get(self, job_id: str, part: int) -> JobFile:
        """One file of a job."""
        query = select(JOB_FILES).where(JOB_FILES.c.job_id == job_id, JOB_FILES.c.part == part)
        with self._database.read() as connection:
            return _file(connection.execute(query).mappings().one())

    def current(self, job_id: str) -> JobFile | None:
        """The file a job is at; None when it has ended all of them, or listed none."""
        with self._database.read() as connection:
            row = connection.execute(_current(job_id)).mappings().first()
        return _file(row) if row else None

    def forget_untouched(self, job_id: str, *, owner: str) -> None:
        """Let a job read the file it is at anew, unless something of it was sent already.

        What a file held when its job failed on it says nothing of the file once it is mended.
        """
        with self._database.write() as connection:
            job = read_job(connection, job_id)
            check_owner(job, owner)
            row = connection.execute(_current(job_id)).mappings().first()
            sent = select(func.count()).where(
                INTENTS.c.producer_id == job.producer_id, INTENTS.c.job_id == job_id
            )
            if row is None or connection.execute(sent).scalar_one():
                return
            connection.execute(
                update(JOB_FILES)
                .where(JOB_FILES.c.job_id == job_id, JOB_FILES.c.part == row["part"])
                .values(state=JobFileState.LISTED.value, balance_before="")
            )
            begun = row["state"] == JobFileState.BEGUN.value
            balance = {"balance": row["balance_before"]} if begun else {}
            _leave_file(connection, job, **balance)

    def end(self, job: Job, *, owner: str, at_ns: int) -> Job:
        """Keep what is known of the file a job is at, and make the job ready for the next one."""
        with self._database.write() as connection:
            current = read_job(connection, job.id)
            check_owner(current, owner)
            row = connection.execute(_current(job.id)).mappings().one()
            connection.execute(
                update(JOB_FILES)
                .where(JOB_FILES.c.job_id == job.id, JOB_FILES.c.part == row["part"])
                .values(
                    state=_ENDED,
                    producer_id=current.producer_id,
                    layout=current.layout,
                    column_names=json.dumps(current.column_names),
                    stored_before=current.stored_before,
                )
            )
            _leave_file(connection, current)
            before = Balance.from_json(json.loads(row["balance_before"]))
            message = f"{row['name']}: {_account(before, current.balance)}"
            add_event(connection, current, JobEvent("FILE_ENDED", message, at_ns))
            return read_job(connection, job.id)

    def sizes(self, file: JobFile) -> tuple[int, int]:
        """Bytes of a job's files before this one, and of all."""
        size, part = JOB_FILES.c.size_bytes, JOB_FILES.c.part
        query = select(
            func.coalesce(func.sum(size).filter(part < file.part), 0), func.sum(size)
        ).where(JOB_FILES.c.job_id == file.job_id)
        with self._database.read() as connection:
            before, total = connection.execute(query).one()
        return int(before), int(total)


def current_part(connection: Connection, job: Job) -> int:
    """The place of the file a job is at; 0 where it has no list of files."""
    row = connection.execute(_current(job.id)).mappings().first()
    return row["part"] if row else 0


def begin_file(connection: Connection, job: Job) -> bool:
    """Note that a job begins with the file it is at; False when it had begun before."""
    row = connection.execute(_current(job.id)).mappings().one()
    if row["state"] != JobFileState.LISTED.value:
        return False
    connection.execute(
        update(JOB_FILES)
        .where(JOB_FILES.c.job_id == job.id, JOB_FILES.c.part == row["part"])
        .values(state=JobFileState.BEGUN.value, balance_before=json.dumps(job.balance.to_json()))
    )
    return True


def _leave_file(connection: Connection, job: Job, **values: str) -> None:
    """Make the job ready to begin with a file."""
    connection.execute(
        delete(PRODUCER_HOLDS).where(
            PRODUCER_HOLDS.c.producer_id == job.producer_id, PRODUCER_HOLDS.c.job_id == job.id
        )
    )
    connection.execute(
        update(JOBS)
        .where(JOBS.c.id == job.id)
        .values(
            producer_id="",
            identity="",
            layout="",
            column_names="[]",
            stored_before=None,
            **values,
        )
    )


def _current(job_id: str) -> Select[tuple[object, ...]]:
    return (
        select(JOB_FILES)
        .where(JOB_FILES.c.job_id == job_id, JOB_FILES.c.state != _ENDED)
        .order_by(JOB_FILES.c.part)
        .limit(1)
    )


def _account(before: Balance, after: Balance) -> str:
    return (
        f"{after.rows_in - before.rows_in:,} rows in = {after.stored - before.stored:,} stored + "
        f"{after.quarantined - before.quarantined:,} quarantined + "
        f"{after.duplicates - before.duplicates:,} duplicates"
    )


def _file(row: RowMapping) -> JobFile:
    return JobFile(
        job_id=row["job_id"],
        part=row["part"],
        path=row["path"],
        name=row["name"],
        size_bytes=row["size_bytes"],
        state=JobFileState(row["state"]),
        producer_id=row["producer_id"],
        layout=row["layout"],
        column_names=tuple(json.loads(row["column_names"])),
        stored_before=row["stored_before"],
    )
