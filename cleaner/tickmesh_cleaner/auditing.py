"""A balance recomputed from the stores, not from what was written down at the time.

Stored rows are counted in the sink, where every row carries the producer and the sequence it was
sent under: batch n of a job's producer is the message with sequence n. A row that was stored
twice is counted twice, one that is gone is not counted. Quarantined rows are counted in the
quarantine files.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from tickmesh_cleaner.domain.balance import Balance
    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
    from tickmesh_cleaner.store import CleanerStore


class RowCounter(Protocol):
    """Counts the rows a dataset holds."""

    def rows_by_sequence(
        self, dataset: str, producer_ids: Collection[str]
    ) -> Mapping[str, Counter[int]]:
        """The rows of producers by the sequence they were sent under.

        Raises:
            SinkUnavailableError: The sink does not answer.
        """
        ...


class _Run(NamedTuple):
    """What a job did as one producer: which of its files, and what had been stored before."""

    part: int
    stored_before: int


class Auditor:
    """Recomputes balances."""

    def __init__(
        self, store: CleanerStore, files: QuarantineFiles, rows_of: Callable[[Job], RowCounter]
    ) -> None:
        """Name the stores.

        Args:
            store: The cleaner's memory.
            files: The quarantine files.
            rows_of: What counts the rows of a job's sink.
        """
        self._store = store
        self._files = files
        self._rows_of = rows_of

    def audit(self, job: Job) -> Balance:
        """The account of a job as the stores have it now.

        Rows in and duplicates are those of the balance lines: the source itself is not read again.
        Rows under sequences that no intent ever named count as this job's: nobody but the cleaner
        writes as its producer, so they are rows too many.
        """
        batches = self._store.ledger.batches_of_job(job.id)
        producers = self._producers(job)
        counted = (
            self._rows_of(job).rows_by_sequence(job.dataset, producers.keys()) if producers else {}
        )
        quarantined = stored = 0
        for producer_id, run in producers.items():
            files = self._files.of_part(run.part)
            committed = batches.get(producer_id, ())
            quarantined += sum(files.count_rows(job_id=job.id, n=n) for n in committed)
            # What was there before the job began is its duplicate, and stored by an earlier one.
            own = {n for n in committed if n > run.stored_before}
            last_n = self._store.ledger.state(producer_id).last_n
            held = counted.get(producer_id, Counter())
            stored += sum(rows for n, rows in held.items() if n in own or n > last_n)
        return replace(self._store.jobs.get(job.id).balance, stored=stored, quarantined=quarantined)

    def _producers(self, job: Job) -> dict[str, _Run]:
        """What a job did as each of its producers; of files with equal content the first did it."""
        found: dict[str, _Run] = {}
        part = 0
        for file in self._store.job_files.of_job(job.id):
            if file.producer_id:
                found.setdefault(file.producer_id, _Run(file.part, file.stored_before or 0))
                part = file.part + 1
        if job.producer_id:
            found.setdefault(job.producer_id, _Run(part, job.stored_before or 0))
        return found
