"""One process at a time works on one set of files."""

from __future__ import annotations

import fcntl
from typing import IO, TYPE_CHECKING

from tickmesh.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


class ProcessLock:
    """Keeps a second process from the files it stands for.

    The kernel holds it as long as the process lives, however that ends: who has it knows that
    every earlier owner is dead.

    Args:
        path: The lock file; made with its directory when it is missing.
        held: What to say, and to do, when another process holds it.
        key: The setting that is to blame then.
    """

    def __init__(self, path: Path, *, held: str, key: str | None = None) -> None:
        self._path = path
        self._held = held
        self._key = key
        self._file: IO[bytes] | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            ConfigError: Another process holds it, or the directory cannot be written.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("ab")
        except OSError as error:
            raise ConfigError(f"cannot write to {self._path.parent}: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.close()
            raise ConfigError(self._held, key=self._key) from error
        self._file = file

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None
