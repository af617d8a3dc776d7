"""One of the several files that a job cleans one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_BATCH_BITS = 40


class JobFileState(StrEnum):
    """How far a job is with one of its files."""

    LISTED = "listed"
    BEGUN = "begun"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class JobFile:
    """A file as its job listed it.

    What is true of the file at work stands in the job itself, as if it were the job's only one;
    once it is ended it is kept here.

    Attributes:
        job_id: The job.
        part: Its place among the job's files, from 0.
        path: Its path as it was matched; never shown.
        name: Its path below the source root.
        size_bytes: Its size when it was listed.
        state: How far the job is with it.
        producer_id: The producer its rows are stored under, once it is ended.
        layout: The source spec it was read by, TOML, once it is ended.
        column_names: The names its header gave, once it is ended.
        stored_before: The tick store's last sequence of its producer when the job opened it, once
            it is ended.
    """

    job_id: str
    part: int
    path: str
    name: str
    size_bytes: int
    state: JobFileState = JobFileState.LISTED
    producer_id: str = ""
    layout: str = ""
    column_names: tuple[str, ...] = ()
    stored_before: int | None = None


def batch_of_part(part: int, n: int) -> int:
    """The number by which a job knows batch n of one of its files.

    Batches are numbered file by file, quarantine files job by job.
    """
    return part << _BATCH_BITS | n
