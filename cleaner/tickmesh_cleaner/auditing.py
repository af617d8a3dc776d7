"""A balance recomputed from the stores, not from what was written down at the time.

Stored rows are counted in the tick store: a job's commits name the dataset revisions its batches
lie in, and every row there is stamped with its revision. Where a revision holds rows of several
jobs (the tick store commits what waits in one group), those of the others are set off. Quarantined
rows are counted in the quarantine files.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tickmesh_cleaner.domain.balance import Balance
    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
    from tickmesh_cleaner.store import CleanerStore


class RowCounter(Protocol):
    """Counts the rows a dataset holds."""

    def rows_by_revision(self, dataset: str) -> Counter[int]:
        """Rows by the dataset revision they were committed in.

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
        """
        commits = self._store.ledger.commits_of_job(job.id)
        quarantined = sum(self._files.count_rows(job_id=job.id, n=commit.n) for commit in commits)
        expected: Counter[int] = Counter()
        for commit in commits:
            if commit.stored:
                expected[commit.dataset_revision] += commit.stored
        stored = 0
        if expected:
            held = self._counter.rows_by_revision(job.dataset)
            others = self._store.ledger.stored_by_others(job, revisions=sorted(expected))
            for revision, rows in expected.items():
                stored += max(0, min(rows, held[revision] - others.get(revision, 0)))
        return replace(self._store.jobs.get(job.id).balance, stored=stored, quarantined=quarantined)
