"""Changes of the quarantine index, made inside the transaction of a commit."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, delete, func, literal, select, update

from tickmesh_cleaner.domain.job_file import batch_of_part
from tickmesh_cleaner.domain.quarantine import QuarantineState, RowReason
from tickmesh_cleaner.store.job_files import current_part
from tickmesh_cleaner.store.tables import QUARANTINE, QUARANTINE_REASONS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.held_rows import HeldRows

_ROWS_A_STATEMENT = 500


@dataclass(frozen=True, slots=True)
class HeldAgain:
    """A quarantined row that a replay had to keep: its id and its row in the replay's file."""

    row_id: int
    file_row: int
    reasons: tuple[RowReason, ...]


def insert_entries(connection: Connection, job: Job, *, n: int, held: HeldRows) -> None:
    """Enter the rows of a batch's quarantine file, in the file's order.

    The database itself counts the rows out, since a bad batch may hold tens of thousands.
    """
    if not held:
        return
    part = current_part(connection, job)
    highest = select(func.coalesce(func.max(QUARANTINE.c.id), 0))
    first_id = connection.execute(highest).scalar_one() + 1
    row = _each(range(len(held)))
    entry: dict[str, ColumnElement[Any]] = {
        "id": literal(first_id) + row,
        "job_id": literal(job.id),
        "part": literal(part),
        "subject": literal(job.subject),
        "state": literal(QuarantineState.QUARANTINED.value),
        "replay_job_id": literal(""),
        "claimed_by": literal(""),
        "claim_position": literal(0),
        "file_job_id": literal(job.id),
        "file_n": literal(batch_of_part(part, n)),
        "file_row": row,
    }
    connection.execute(QUARANTINE.insert().from_select(list(entry), select(*entry.values())))
    for code, instance_path, rows in held.rows_by_reason():
        reason: dict[str, ColumnElement[Any]] = {
            "row_id": literal(first_id) + _each(rows.tolist()),
            "code": literal(code),
            "instance_path": literal(instance_path),
        }
        selected = select(*reason.values())
        connection.execute(QUARANTINE_REASONS.insert().from_select(list(reason), selected))


def _each(rows: Iterable[int]) -> ColumnElement[int]:
    """The column of a table of one column that holds these numbers."""
    numbers = func.json_each(json.dumps(list(rows))).table_valued("value")
    return numbers.c.value


def release(connection: Connection, job: Job, *, row_ids: Sequence[int]) -> None:
    """Mark rows a replay has stored. Only rows this replay claimed are touched."""
    for ids in _chunks(row_ids):
        connection.execute(
            update(QUARANTINE)
            .where(QUARANTINE.c.id.in_(ids), QUARANTINE.c.claimed_by == job.id)
            .values(state=QuarantineState.RELEASED.value, replay_job_id=job.id, claimed_by="")
        )


def hold_again(connection: Connection, job: Job, *, n: int, rows: Sequence[HeldAgain]) -> None:
    """Give rows that failed a replay their fresh reasons and their place in its file."""
    for row in rows:
        connection.execute(
            update(QUARANTINE)
            .where(QUARANTINE.c.id == row.row_id, QUARANTINE.c.claimed_by == job.id)
            .values(
                replay_job_id=job.id,
                claimed_by="",
                file_job_id=job.id,
                file_n=n,
                file_row=row.file_row,
            )
        )
    for ids in _chunks([row.row_id for row in rows]):
        connection.execute(delete(QUARANTINE_REASONS).where(QUARANTINE_REASONS.c.row_id.in_(ids)))
    _insert_reasons(connection, ((row.row_id, row.reasons) for row in rows))


def _insert_reasons(
    connection: Connection, reasons_of: Iterable[tuple[int, tuple[RowReason, ...]]]
) -> None:
    rows = [
        {"row_id": row_id, "code": code, "instance_path": path}
        for row_id, reasons in reasons_of
        for code, path in sorted({(reason.code, reason.instance_path) for reason in reasons})
    ]
    if rows:
        connection.execute(QUARANTINE_REASONS.insert(), rows)


def _chunks(ids: Sequence[int]) -> Iterable[Sequence[int]]:
    for start in range(0, len(ids), _ROWS_A_STATEMENT):
        yield ids[start : start + _ROWS_A_STATEMENT]
