"""All spools of a cleaner, within one bound that they share with the uploads."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

from tickmesh_cleaner.spool.log import SEGMENT_BYTES, Spool
from tickmesh_cleaner.spool.segment import SUFFIX

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class SpoolSpace:
    """Opens, counts and drops the spools below one directory, one a job."""

    def __init__(
        self,
        directory: Path,
        *,
        max_bytes: int,
        taken_elsewhere: Callable[[], int] = lambda: 0,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> None:
        """Name the directory.

        Args:
            directory: Where spools lie; created when missing.
            max_bytes: The most that all spools and what counts with them may hold.
            taken_elsewhere: Bytes that count with them: uploads.
            segment_bytes: Length of a segment.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self.max_bytes = max_bytes
        self._taken_elsewhere = taken_elsewhere
        self._segment_bytes = segment_bytes
        self._lock = threading.Lock()
        self._open: dict[str, Spool] = {}

    def open(self, job_id: str) -> Spool:
        """The spool of a job, the same object for every caller; created when missing.

        Raises:
            SpoolDamagedError: It lost what was on stable storage.
        """
        with self._lock:
            spool = self._open.get(job_id)
            if spool is None:
                spool = Spool(self._directory / job_id, segment_bytes=self._segment_bytes)
                self._open[job_id] = spool
            return spool

    def drop(self, job_id: str) -> None:
        """Free the spool of a job that will not read it again."""
        with self._lock:
            spool = self._open.pop(job_id, None)
            if spool is not None:
                spool.close()
            shutil.rmtree(self._directory / job_id, ignore_errors=True)

    @property
    def size_bytes(self) -> int:
        """Bytes of all spools, open or not."""
        with self._lock:
            open_bytes = sum(spool.size_bytes for spool in self._open.values())
            names = set(self._open)
        closed = (
            path.stat().st_size
            for path in self._directory.glob(f"*/*{SUFFIX}")
            if path.parent.name not in names
        )
        return open_bytes + sum(closed)

    def has_room(self, more_bytes: int) -> bool:
        """Whether so many bytes more fit the bound."""
        return self.size_bytes + self._taken_elsewhere() + more_bytes <= self.max_bytes

    def close(self) -> None:
        """Close all spools."""
        with self._lock:
            for spool in self._open.values():
                spool.close()
            self._open.clear()
