"""Waits for services that are away, and notes when a source is; meanwhile the job is WAITING."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from tickmesh_cleaner.domain.errors import (
    CleanerError,
    RegistryUnavailableError,
    SinkUnavailableError,
    SourceUnavailableError,
)
from tickmesh_cleaner.domain.job import Job, JobState

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh_cleaner.control import JobControl
    from tickmesh_cleaner.store.jobs import JobStore

_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 5.0

_AWAY = (RegistryUnavailableError, SinkUnavailableError, SourceUnavailableError)

Answer = TypeVar("Answer")


class Patience:
    """Asks again until a service answers. One job's; shared by its threads."""

    def __init__(self, job: Job, *, jobs: JobStore, control: JobControl) -> None:
        self._job_id = job.id
        self._owner = job.owner
        self._jobs = jobs
        self._control = control
        self._lock = threading.Lock()
        self._waiting = 0
        self._quiet = ""

    def ask(self, call: Callable[[], Answer], *, after: CleanerError | None = None) -> Answer:
        """Call until the service answers.

        Args:
            call: What asks it.
            after: The failure that was met already; the first call waits then.

        Raises:
            HaltedError: A pause or a cancel was asked for in between.
            StoppedError: The process shuts down.
        """
        wait_seconds = _FIRST_WAIT_SECONDS
        error = after
        waited = False
        try:
            while True:
                if error is None:
                    try:
                        return call()
                    except _AWAY as failure:
                        error = failure
                if not waited:
                    waited = True
                    self._begin(error.message)
                self._control.wait(wait_seconds)
                wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)
                error = None
        finally:
            if waited:
                self._end()

    def note_quiet(self, message: str) -> None:
        """Note why the source gives nothing; empty once nothing is wrong with it."""
        with self._lock:
            before, self._quiet = self._quiet, message
            if message and message != before:
                self._move(JobState.WAITING, message=message)
            elif before and not message and not self._waiting:
                self._move(JobState.RUNNING)

    def _begin(self, message: str) -> None:
        with self._lock:
            self._waiting += 1
            self._move(JobState.WAITING, message=message)

    def _end(self) -> None:
        with self._lock:
            self._waiting -= 1
            if not self._waiting:
                state = JobState.WAITING if self._quiet else JobState.RUNNING
                self._move(state, message=self._quiet)

    def _move(self, state: JobState, *, message: str = "") -> None:
        self._jobs.move(self._job_id, state, owner=self._owner, message=message)
