"""How a running job hears what is asked of it."""

from __future__ import annotations

import threading

from tickmesh_cleaner.domain.job import JobRequest


class HaltedError(Exception):
    """The job stops at a checkpoint, since it was asked to.

    Attributes:
        requested: PAUSE or CANCEL.
        message: Why, in words; empty when somebody asked.
    """

    def __init__(self, requested: JobRequest, *, message: str = "") -> None:
        super().__init__(message or requested.value)
        self.requested = requested
        self.message = message


class StoppedError(Exception):
    """The process is shutting down: the job keeps its state and goes on after the restart."""


class JobControl:
    """One job's requests, and a wait that they interrupt."""

    def __init__(self, requested: JobRequest = JobRequest.RUN) -> None:
        self._condition = threading.Condition()
        self._requested = requested
        self._stopped = False

    def request(self, requested: JobRequest) -> None:
        """Ask the job to run, pause or cancel."""
        with self._condition:
            self._requested = requested
            self._condition.notify_all()

    def stop(self) -> None:
        """Tell the job that the process is shutting down."""
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def checkpoint(self) -> None:
        """Raise when the job is to halt here.

        Raises:
            StoppedError: The process is shutting down.
            HaltedError: A pause or a cancel was asked for.
        """
        with self._condition:
            self._raise_if_asked()

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until something is asked; raises as `checkpoint` does."""
        with self._condition:
            self._condition.wait_for(
                lambda: self._stopped or self._requested is not JobRequest.RUN, timeout=seconds
            )
            self._raise_if_asked()

    def _raise_if_asked(self) -> None:
        if self._stopped:
            raise StoppedError
        if self._requested is not JobRequest.RUN:
            raise HaltedError(self._requested)
