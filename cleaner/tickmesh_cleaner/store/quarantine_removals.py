"""What retention removes of the quarantine, and the record of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, delete, exists, func, select, update

from tickmesh_cleaner.domain.job_event import EVENTS_KEPT, JobEvent
from tickmesh_cleaner.domain.job_file import batch_of_part
from tickmesh_cleaner.store.job_files import parts_of_producers
from tickmesh_cleaner.store.source_rows import events_from_text, text_of_events
from tickmesh_cleaner.store.tables import (
    COMMITS,
    INTENTS,
    JOBS,
    QUARANTINE,
    QUARANTINE_REASONS,
    REMOVED_QUARANTINE_FILES,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_cleaner.store.database import Database


@dataclass(frozen=True, slots=True)
class QuarantineFileFacts:
    """A quarantine file that retention looks at.

    Attributes:
        job_id: The job it is named by.
        n: The batch it is named by.
        rows: Its rows.
        size_bytes: Its size.
    """

    job_id: str
    n: int
    rows: int
    size_bytes: int


class QuarantineRemovals:
    """Takes files out of the index and remembers them. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def written_at_ns(self, job_id: str) -> dict[int, int]:
        """When each of a job's batches was committed, by the number its file is named by."""
        of_job = select(COMMITS.c.producer_id, COMMITS.c.n, COMMITS.c.committed_at_ns).where(
            COMMITS.c.job_id == job_id
        )
        with self._database.read() as connection:
            parts = parts_of_producers(connection, job_id)
            return {
                batch_of_part(parts.get(producer_id, 0), n): committed_at_ns
                for producer_id, n, committed_at_ns in connection.execute(of_job)
            }

    def known(self, job_id: str) -> set[int]:
        """The batches of a job that have an intent, by the number their files are named by."""
        of_job = select(INTENTS.c.producer_id, INTENTS.c.n).where(INTENTS.c.job_id == job_id)
        with self._database.read() as connection:
            parts = parts_of_producers(connection, job_id)
            return {
                batch_of_part(parts.get(producer_id, 0), n)
                for producer_id, n in connection.execute(of_job)
            }

    def removed(self, job_id: str) -> dict[int, int]:
        """By batch: the rows of a job's files that were removed."""
        gone = REMOVED_QUARANTINE_FILES.c
        with self._database.read() as connection:
            rows = connection.execute(select(gone.n, gone.rows).where(gone.job_id == job_id))
            return {row[0]: row[1] for row in rows}

    def remove(
        self, files: Sequence[QuarantineFileFacts], *, cause: str, words: str, at_ns: int
    ) -> list[QuarantineFileFacts]:
        """Take files and their rows out of the index, except those with a row a replay holds.

        Args:
            files: The files.
            cause: `size` or `age`.
            words: The same, for the events of the jobs concerned.
            at_ns: Now.

        Returns:
            The files that nothing names any more: they may be deleted.
        """
        with self._database.write() as connection:
            removed = [file for file in files if _remove(connection, file, cause, at_ns)]
            by_job: Counter[str] = Counter()
            for file in removed:
                by_job[file.job_id] += file.rows
            for job_id, rows in by_job.items():
                _tell(connection, job_id, JobEvent("EXPIRED", f"{rows} {words}", at_ns))
        return removed


def _remove(connection: Connection, file: QuarantineFileFacts, cause: str, at_ns: int) -> bool:
    own = (QUARANTINE.c.file_job_id == file.job_id, QUARANTINE.c.file_n == file.n)
    held = exists().where(*own, QUARANTINE.c.claimed_by != "")
    if connection.execute(select(held)).scalar_one():
        return False
    rows = select(QUARANTINE.c.id).where(*own)
    highest = select(func.coalesce(func.max(QUARANTINE.c.id), 0)).where(*own)
    last_row_id = connection.execute(highest).scalar_one()
    connection.execute(delete(QUARANTINE_REASONS).where(QUARANTINE_REASONS.c.row_id.in_(rows)))
    connection.execute(delete(QUARANTINE).where(*own))
    connection.execute(
        REMOVED_QUARANTINE_FILES.insert().values(
            job_id=file.job_id,
            n=file.n,
            rows=file.rows,
            bytes=file.size_bytes,
            last_row_id=last_row_id,
            cause=cause,
            at_ns=at_ns,
        )
    )
    return True


def _tell(connection: Connection, job_id: str, event: JobEvent) -> None:
    text = connection.execute(select(JOBS.c.events).where(JOBS.c.id == job_id)).scalar_one_or_none()
    if text is None:
        return
    events = (*events_from_text(text), event)[-EVENTS_KEPT:]
    connection.execute(
        update(JOBS).where(JOBS.c.id == job_id).values(events=text_of_events(events))
    )
