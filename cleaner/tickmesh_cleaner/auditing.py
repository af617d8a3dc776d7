"""A balance recomputed from the stores, not from what was written down at the time.

Stored rows are counted in the tick store, where every row carries the producer and the sequence it
was sent under: batch n of a job's producer is the message with sequence n. A row that was stored
twice is counted twice, one that is gone is not counted. Quarantined rows are counted in the
quarantine files.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections import Counter

    from tickmesh_cleaner.domain.balance import Balance
    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
    from tickmesh_cleaner.store import CleanerStore


class RowCounter(Protocol):
    """Counts the rows a dataset holds."""

    def rows_by_sequence(self, dataset: str, producer_id: str) -> Counter[int]:
        """A producer's rows by the sequence they were sent under.

        Raises:
            TickStoreUnavailableError: The tick store does not answer.
        """
        ...


class Auditor:
    """Recomputes balances."""

    def __init__(self, store: CleanerStore, files: QuarantineFiles, counter: RowCounter) -> None:
        self._store = store
        self._files = files
        self._counter = counter

    def audit(self, job: Job) -> Balance:
        """The account of a job as the stores have it now.

        Rows in and duplicates are those of the balance lines: the source itself is not read again.
        Rows under sequences that no intent ever named count as this job's: nobody but the cleaner
        writes as its producer, so they are rows too many. Files that retention removed count with
        the rows they had, and those rows are told as expired.
        """
        ledger = self._store.ledger
        batches = ledger.batches_of_job(job.id)
        removed = self._store.removals.removed(job.id)
        expired = sum(removed.values())
        quarantined = expired + sum(
            self._files.count_rows(job_id=job.id, n=n) for n in batches if n not in removed
        )
        stored = 0
        if job.producer_id:
            held = self._counter.rows_by_sequence(job.dataset, job.producer_id)
            last_n = ledger.state(job.producer_id).last_n
            # What was there before the job began is its duplicate, and stored by an earlier one.
            own = {n for n in batches if n > (job.stored_before or 0)}
            stored = sum(rows for n, rows in held.items() if n in own or n > last_n)
        return replace(
            self._store.jobs.get(job.id).balance,
            stored=stored,
            quarantined=quarantined,
            expired=expired,
        )
