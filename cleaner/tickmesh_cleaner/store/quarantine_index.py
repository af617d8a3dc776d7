"""The index of quarantined rows: which there are, where they lie, where they stand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, RowMapping, Select, exists, func, select, update

from tickmesh_cleaner.domain.errors import QuarantineEmptyError
from tickmesh_cleaner.domain.quarantine import (
    QuarantineEntry,
    QuarantineFilter,
    QuarantineState,
    ReasonCount,
)
from tickmesh_cleaner.store.jobs import insert_job
from tickmesh_cleaner.store.tables import JOBS, QUARANTINE, QUARANTINE_REASONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.store.database import Database

_EXAMPLES = 3


class QuarantineIndex:
    """Finds, counts and claims quarantined rows. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self, selected: QuarantineFilter, *, after_id: int, limit: int
    ) -> list[QuarantineEntry]:
        """Matching rows with ids above `after_id`, ascending, at most `limit`."""
        query = (
            select(QUARANTINE)
            .where(*_conditions(selected), QUARANTINE.c.id > after_id)
            .order_by(QUARANTINE.c.id)
            .limit(limit)
        )
        return self._entries(query)

    def by_ids(self, row_ids: Sequence[int]) -> list[QuarantineEntry]:
        """These rows in any state, in order of their ids."""
        query = select(QUARANTINE).where(QUARANTINE.c.id.in_(row_ids)).order_by(QUARANTINE.c.id)
        return self._entries(query)

    def count(self, selected: QuarantineFilter) -> int:
        """How many rows match."""
        query = select(func.count()).select_from(QUARANTINE).where(*_conditions(selected))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def describe(self, selected: QuarantineFilter) -> list[ReasonCount]:
        """Matching rows by reason and place, largest first, each with a few examples."""
        matching = select(QUARANTINE.c.id).where(*_conditions(selected))
        reasons = QUARANTINE_REASONS.c
        rows = func.count().label("rows")
        counts = (
            select(reasons.code, reasons.instance_path, rows)
            .where(reasons.row_id.in_(matching))
            .group_by(reasons.code, reasons.instance_path)
            .order_by(rows.desc(), reasons.code, reasons.instance_path)
        )
        with self._database.read() as connection:
            described = []
            for code, instance_path, number in connection.execute(counts).all():
                examples = (
                    select(reasons.row_id)
                    .where(
                        reasons.code == code,
                        reasons.instance_path == instance_path,
                        reasons.row_id.in_(matching),
                    )
                    .order_by(reasons.row_id)
                    .limit(_EXAMPLES)
                )
                ids = tuple(connection.execute(examples).scalars())
                described.append(ReasonCount(code, instance_path, number, ids))
        return described

    def jobs_and_subjects(self) -> tuple[list[str], list[str]]:
        """The jobs and the subjects that have rows here."""
        with self._database.read() as connection:
            jobs = connection.execute(
                select(QUARANTINE.c.job_id).distinct().order_by(QUARANTINE.c.job_id)
            ).scalars()
            subjects = connection.execute(
                select(QUARANTINE.c.subject).distinct().order_by(QUARANTINE.c.subject)
            ).scalars()
            return list(jobs), list(subjects)

    def claim_for_replay(self, job: Job, selected: QuarantineFilter) -> Job:
        """Makes a replay job and gives it the matching rows no other replay holds.

        Rows are put in the order of the jobs that held them back, since those of one job share a
        source spec and are decoded together.

        Raises:
            QuarantineEmptyError: No such row.
        """
        with self._database.write() as connection:
            made = insert_job(connection, job)
            if made.id != job.id:
                return made
            number = select(JOBS.c.number).where(JOBS.c.id == QUARANTINE.c.job_id).scalar_subquery()
            ids = list(
                connection.execute(
                    select(QUARANTINE.c.id)
                    .where(
                        *_conditions(selected),
                        QUARANTINE.c.subject == job.subject,
                        QUARANTINE.c.state == QuarantineState.QUARANTINED.value,
                        QUARANTINE.c.claimed_by == "",
                    )
                    .order_by(number, QUARANTINE.c.id)
                ).scalars()
            )
            if not ids:
                raise QuarantineEmptyError
            for position, row_id in enumerate(ids):
                connection.execute(
                    update(QUARANTINE)
                    .where(QUARANTINE.c.id == row_id)
                    .values(claimed_by=job.id, claim_position=position)
                )
            return made

    def subjects_of(self, selected: QuarantineFilter) -> list[str]:
        """The subjects of the matching rows."""
        query = select(QUARANTINE.c.subject).distinct().where(*_conditions(selected))
        with self._database.read() as connection:
            return sorted(connection.execute(query).scalars())

    def claimed(self, job_id: str, *, start: int, limit: int) -> list[tuple[int, QuarantineEntry]]:
        """(position, row) of the rows a replay holds, from a position on."""
        query = (
            select(QUARANTINE)
            .where(QUARANTINE.c.claimed_by == job_id, QUARANTINE.c.claim_position >= start)
            .order_by(QUARANTINE.c.claim_position)
            .limit(limit)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).mappings().all()
        return [(row["claim_position"], _entry(row)) for row in rows]

    def unclaim(self, job_id: str, *, from_position: int) -> None:
        """Gives back the rows an ended replay never came to judge, from a position on."""
        with self._database.write() as connection:
            connection.execute(
                update(QUARANTINE)
                .where(
                    QUARANTINE.c.claimed_by == job_id,
                    QUARANTINE.c.claim_position >= from_position,
                )
                .values(claimed_by="")
            )

    def _entries(self, query: Select[tuple[object, ...]]) -> list[QuarantineEntry]:
        with self._database.read() as connection:
            return [_entry(row) for row in connection.execute(query).mappings()]


def _conditions(selected: QuarantineFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [QUARANTINE.c.state == selected.state.value]
    if selected.job_id:
        conditions.append(QUARANTINE.c.job_id == selected.job_id)
    if selected.subject:
        conditions.append(QUARANTINE.c.subject == selected.subject)
    if selected.row_ids:
        conditions.append(QUARANTINE.c.id.in_(selected.row_ids))
    if selected.reason:
        conditions.append(
            exists().where(
                QUARANTINE_REASONS.c.row_id == QUARANTINE.c.id,
                QUARANTINE_REASONS.c.code == selected.reason,
            )
        )
    return conditions


def _entry(row: RowMapping) -> QuarantineEntry:
    return QuarantineEntry(
        id=row["id"],
        job_id=row["job_id"],
        subject=row["subject"],
        state=QuarantineState(row["state"]),
        replay_job_id=row["replay_job_id"],
        file_job_id=row["file_job_id"],
        file_n=row["file_n"],
        file_row=row["file_row"],
        part=row["part"],
    )
