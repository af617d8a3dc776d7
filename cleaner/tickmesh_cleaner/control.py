"""How a running job hears what is asked of it, and shares its turn at work with others."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tickmesh_cleaner.domain.job import JobRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh_cleaner.turns import Turns


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
    """One job's requests, a wait that they interrupt, and its turn at work.

    The turn belongs to the thread that took it. Whatever another thread of the job waits for, that
    one keeps its turn until it has to wait itself.
    """

    def __init__(self, requested: JobRequest = JobRequest.RUN) -> None:
        self._condition = threading.Condition()
        self._requested = requested
        self._stopped = False
        self._turns: Turns | None = None
        self._worker = 0
        self._since = 0.0

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
        """Raise when the job is to halt here; let others pass when its turn was long enough.

        Raises:
            StoppedError: The process is shutting down.
            HaltedError: A pause or a cancel was asked for.
        """
        self.raise_if_asked()
        turns = self._turns
        if turns is None or not turns.asked_for:
            return
        if time.monotonic() - self._since >= turns.slice_seconds:
            # Whoever waits is served first: the line is in the order of asking.
            with self.idle():
                pass

    def wait(self, seconds: float) -> None:
        """Wait, but no longer than until something is asked; raises as `checkpoint` does."""
        with self.idle(), self._condition:
            self._condition.wait_for(self._is_asked, timeout=seconds)
        self.raise_if_asked()

    def raise_if_asked(self) -> None:
        """Raise as `checkpoint` does; keeps the turn."""
        with self._condition:
            if self._stopped:
                raise StoppedError
            if self._requested is not JobRequest.RUN:
                raise HaltedError(self._requested)

    @contextmanager
    def at_work(self, turns: Turns) -> Iterator[None]:
        """Take a turn, and give it back at the end; raises as `checkpoint` does while waiting."""
        turns.take(self.raise_if_asked)
        self._turns, self._worker, self._since = turns, threading.get_ident(), time.monotonic()
        try:
            self.raise_if_asked()
            yield
        finally:
            if self._turns is not None:
                self._turns = None
                turns.give_back()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Leave the turn to others while this thread waits for something, then take one again."""
        turns = self._turns
        if turns is None or threading.get_ident() != self._worker:
            yield
            return
        self._turns = None
        turns.give_back()
        yield
        turns.take(self.raise_if_asked)
        self._turns, self._since = turns, time.monotonic()

    def _is_asked(self) -> bool:
        return self._stopped or self._requested is not JobRequest.RUN
