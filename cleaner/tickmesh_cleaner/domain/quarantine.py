"""A row that was held back, complete enough to be judged again."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

WHOLE_RECORD = -1
"""The `row_in_record` of an entry that holds a record which made no row."""


class QuarantineState(StrEnum):
    """Where a quarantined row stands."""

    QUARANTINED = "quarantined"
    RELEASED = "released"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class RowReason:
    """One reason a row was held back.

    Attributes:
        code: A stable upper-case code, for example MINIMUM or RAGGED.
        instance_path: JSON Pointer into the row.
        schema_path: JSON Pointer into the schema; empty for what never reached the schema.
        message: What was expected, what came.
    """

    code: str
    instance_path: str
    schema_path: str
    message: str


@dataclass(frozen=True, slots=True)
class QuarantineRecord:
    """One row as its quarantine file keeps it.

    Attributes:
        source: The source in words.
        offset: Byte offset of its record in the unpacked source; the row number for Parquet.
        line: Line number of its record from 1; 0 where there are no lines.
        row_in_record: Its place among the rows of its record; WHOLE_RECORD if that made none.
        raw: Its record as it came.
        document: The row as a JSON document; empty when the record could not be decoded.
        reasons: All the reasons.
        schema_id: The schema it was judged against.
        schema_version: The version of it.
        rule_set_fingerprint: The fingerprint of the rules and of the source spec.
        engine: The name and version of the engine that judged.
        first_seen_ns: When it was first held back.
    """

    source: str
    offset: int
    line: int
    row_in_record: int
    raw: bytes
    document: str
    reasons: tuple[RowReason, ...]
    schema_id: int
    schema_version: int
    rule_set_fingerprint: str
    engine: str
    first_seen_ns: int


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """One line of the quarantine index: where a row lies and where it stands.

    Attributes:
        id: Its id, given at the commit that held it back, never reused.
        job_id: The job that first held it back.
        subject: The subject it was judged under.
        state: Where it stands.
        replay_job_id: The job that released or last judged it again; empty when none did.
        file_job_id: The job whose quarantine file holds it now.
        file_n: The batch that file is named by.
        file_row: Its row in that file.
        part: Which of its job's files it came from; 0 where there is one.
    """

    id: int
    job_id: str
    subject: str
    state: QuarantineState
    replay_job_id: str
    file_job_id: str
    file_n: int
    file_row: int
    part: int = 0


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """An entry together with its record."""

    entry: QuarantineEntry
    record: QuarantineRecord


@dataclass(frozen=True, slots=True)
class QuarantineFilter:
    """Selects quarantined rows; the conditions given must all hold.

    Attributes:
        job_id: Rows first held back by this job.
        subject: Rows judged under this subject.
        reason: Rows with at least one reason of this code.
        state: Rows in this state.
        row_ids: These rows; all when empty.
    """

    job_id: str = ""
    subject: str = ""
    reason: str = ""
    state: QuarantineState = QuarantineState.QUARANTINED
    row_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many rows share a reason.

    Attributes:
        code: The code.
        instance_path: The place in the row.
        rows: Rows that have it.
        examples: Ids of up to three of them.
    """

    code: str
    instance_path: str
    rows: int
    examples: tuple[int, ...]
