"""The cleaner's memory as one object, locked to one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_cleaner.store.database import Database
from tickmesh_cleaner.store.job_files import JobFileStore
from tickmesh_cleaner.store.jobs import JobStore
from tickmesh_cleaner.store.leases import Leases
from tickmesh_cleaner.store.ledger import Ledger
from tickmesh_cleaner.store.quarantine_index import QuarantineIndex
from tickmesh_cleaner.store.uploads import UploadStore
from tickmesh_serving.process_lock import ProcessLock

if TYPE_CHECKING:
    from pathlib import Path


class CleanerStore:
    """Jobs, ledger, quarantine index and uploads below one directory.

    The directory is locked by the kernel as long as the process lives, so a process that opens it
    knows that every earlier owner is dead and waits for none of their leases.
    """

    def __init__(self, directory: Path) -> None:
        """Lock the directory, open the database, migrate it.

        Args:
            directory: Created when missing.

        Raises:
            ConfigError: Another process holds the lock, or the directory cannot be written.
        """
        self._lock = ProcessLock(
            directory / "lock",
            held="another cleaner runs on this data directory; stop it, or choose another",
            key="data",
        )
        self._lock.acquire()
        self._database = Database(directory / "cleaner.sqlite")
        self.jobs = JobStore(self._database)
        self.job_files = JobFileStore(self._database)
        self.leases = Leases(self._database)
        self.leases.end_all()
        self.ledger = Ledger(self._database)
        self.quarantine = QuarantineIndex(self._database)
        self.uploads = UploadStore(self._database)

    def close(self) -> None:
        """Close the database and give the directory free."""
        self._database.close()
        self._lock.release()
