"""Keeps the quarantine within its limits: the oldest whole files go first, and that is recorded.

A file goes once it is older than `max_age`, or while all of them hold more than `max_bytes`. Never
one with a row that a replay holds. First the index forgets its rows and remembers the file, then it
is deleted; a crash in between leaves a file that the next look deletes.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from tickmesh_cleaner.store.quarantine_removals import QuarantineFileFacts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tickmesh_cleaner.metrics import CleanerMetrics
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
    from tickmesh_cleaner.store import CleanerStore
    from tickmesh_serving.clock import Clock

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.cleaner.quarantine")

_LOOK_SECONDS = 60.0
_FILES_A_TRANSACTION = 32


@dataclass(frozen=True, slots=True)
class _OldFile:
    """A file of a committed batch."""

    written_at_ns: int
    job_id: str
    n: int
    size_bytes: int


class Retention:
    """Looks at the quarantine and removes what is beyond its limits."""

    def __init__(
        self,
        store: CleanerStore,
        files: QuarantineFiles,
        *,
        max_bytes: int,
        max_age_ns: int | None,
        clock: Clock,
        metrics: CleanerMetrics,
    ) -> None:
        """Set the limits.

        Args:
            store: The index.
            files: The files.
            max_bytes: The most all files may hold.
            max_age_ns: How long a file is kept; None for no such limit.
            clock: The clock.
            metrics: What is counted.
        """
        self._store = store
        self._files = files
        self._max_bytes = max_bytes
        self._max_age_ns = max_age_ns
        self._clock = clock
        self._metrics = metrics

    def look(self) -> Mapping[str, int]:
        """Remove what is beyond the limits; rows removed by cause."""
        now_ns = self._clock.now_ns()
        found = sorted(self._committed(), key=lambda file: (file.written_at_ns, file.n))
        held_bytes = sum(file.size_bytes for file in found)
        removed: Counter[str] = Counter()
        if self._max_age_ns is not None:
            oldest_ns = now_ns - self._max_age_ns
            old = [file for file in found if file.written_at_ns < oldest_ns]
            found = found[len(old) :]
            held_bytes -= self._remove(old, cause="age", now_ns=now_ns, removed=removed)
        while found and held_bytes > self._max_bytes:
            excess = held_bytes - self._max_bytes
            taken = []
            for file in found[:_FILES_A_TRANSACTION]:
                if excess <= 0:
                    break
                taken.append(file)
                excess -= file.size_bytes
            found = found[len(taken) :]
            held_bytes -= self._remove(taken, cause="size", now_ns=now_ns, removed=removed)
        if held_bytes > self._max_bytes:
            _log.warning(
                "quarantine.over_limit",
                bytes=held_bytes,
                max_bytes=self._max_bytes,
                why="replays hold the rest",
            )
        self._metrics.quarantine_bytes.set(held_bytes)
        return removed

    def _committed(self) -> Iterator[_OldFile]:
        """Files of committed batches; one that no batch names, or that was removed, is deleted."""
        removals = self._store.removals
        for job_id in self._files.jobs():
            # Listed before the ledger is asked: a file's intent is written before the file.
            listed = self._files.listed(job_id=job_id)
            written, known = removals.written_at_ns(job_id), removals.known(job_id)
            removed = removals.removed(job_id)
            for n, size_bytes in listed:
                if n in removed or n not in known | written.keys():
                    self._files.remove(job_id=job_id, n=n)
                elif n in written:
                    yield _OldFile(written[n], job_id, n, size_bytes)

    def _remove(
        self, files: list[_OldFile], *, cause: str, now_ns: int, removed: Counter[str]
    ) -> int:
        """Remove what no replay holds; the bytes that became free."""
        words = {
            "age": "quarantined rows were removed: older than max_age_days",
            "size": "quarantined rows were removed, the oldest first: over max_bytes",
        }[cause]
        freed = 0
        for start in range(0, len(files), _FILES_A_TRANSACTION):
            facts = [
                QuarantineFileFacts(
                    file.job_id,
                    file.n,
                    self._files.count_rows(job_id=file.job_id, n=file.n),
                    file.size_bytes,
                )
                for file in files[start : start + _FILES_A_TRANSACTION]
            ]
            gone = self._store.removals.remove(facts, cause=cause, words=words, at_ns=now_ns)
            for file in gone:
                self._files.remove(job_id=file.job_id, n=file.n)
            if gone:
                rows = sum(file.rows for file in gone)
                size_bytes = sum(file.size_bytes for file in gone)
                removed[cause] += rows
                freed += size_bytes
                self._metrics.removed(cause=cause, rows=rows)
                _log.warning(
                    "quarantine.removed",
                    cause=cause,
                    rows=rows,
                    files=len(gone),
                    bytes=size_bytes,
                    jobs=sorted({file.job_id for file in gone}),
                )
        return freed


class RetentionKeeper:
    """Looks once a minute, in a thread of its own; a component of the process."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="quarantine-retention", daemon=True)

    async def start(self) -> None:
        """Begin."""
        self._thread.start()

    async def drain(self) -> None:
        """End after the look that is under way."""
        self._over.set()

    async def stop(self) -> None:
        """Wait for that."""
        self._over.set()
        if self._thread.ident is not None:
            await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._retention.look()
            except Exception:  # noqa: BLE001 - the next look may do better, and jobs go on
                _log.exception("quarantine.retention_failed")
            self._over.wait(_LOOK_SECONDS)
