"""The two moments of an acknowledgement: RECEIVED, then DURABLE (T2)."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Answer", "AppendFuture", "Appended", "Settlement"]

_PLACING = threading.Lock()
"""Held to put an event in place: whoever else waits is to wait for the same one."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where rows are stored.

    Attributes:
        dataset_revision: The revision they arrived under; `None` for a duplicate that lies further
            back than the store remembers.
        first_row: Rows of that revision before the first of these.
        rows: Rows stored; for a duplicate the rows that were sent again.
        duplicate: The same sequence was stored before; nothing was stored now.
    """

    dataset_revision: int | None
    first_row: int
    rows: int
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of some consecutive messages of one sender in a commit group.

    Attributes:
        messages: How many messages.
        through_sequence: The last one's sequence; 0 without a producer.
        rows: Their rows.
        appended: Where the rows are; of a duplicate, where they were stored before.
    """

    messages: int
    through_sequence: int
    rows: int
    appended: Appended


class Answer(Protocol):
    """Whoever waits for messages. Told by the writer, in order, once a commit group."""

    @property
    def error(self) -> Exception | None:
        """Why a message of this sender is not stored, nor any after it."""
        ...

    def mark_received(self, settlement: Settlement) -> None:
        """The messages are judged and written."""
        ...

    def mark_durable(self, settlement: Settlement) -> None:
        """They are on stable storage."""
        ...

    def fail(self, error: Exception, *, messages: int = 1) -> None:
        """So many messages are not stored. The error is nobody else's."""
        ...


class AppendFuture:
    """The outcome of one append. Much lighter than a `concurrent.futures.Future`.

    `received` comes when the rows are judged and written to the log (they survive the end of the
    process), `result` when they are on stable storage (they survive a power cut).
    """

    __slots__ = ("_appended", "_durable", "_error", "_event", "_received_event")

    def __init__(self) -> None:
        self._appended: Appended | None = None
        self._durable = False
        self._error: Exception | None = None
        self._event: threading.Event | None = None
        self._received_event: threading.Event | None = None

    @property
    def error(self) -> Exception | None:
        """Why the append failed; `None` while it has not."""
        return self._error

    def done(self) -> bool:
        """Whether the rows are durable or refused."""
        return self._durable or self._error is not None

    def received(self, timeout_seconds: float | None = None) -> Appended:
        """Wait until the rows are judged and written, but perhaps not yet on stable storage.

        Raises:
            TimeoutError: Nothing was decided in time; the append goes on.
            TickStoreError: The rows are not stored.
        """
        if self._appended is None and self._error is None:
            # The event is in place before the state is looked at again: no wake-up is lost.
            with _PLACING:
                event = self._received_event = self._received_event or threading.Event()
            if self._appended is None and self._error is None and not event.wait(timeout_seconds):
                raise TimeoutError
        return self._answer()

    def result(self, timeout_seconds: float | None = None) -> Appended:
        """Wait until the rows are durable.

        Raises:
            TimeoutError: Nothing was decided in time; the append goes on.
            TickStoreError: The rows are not stored.
        """
        if not self.done():
            with _PLACING:
                event = self._event = self._event or threading.Event()
            if not self.done() and not event.wait(timeout_seconds):
                raise TimeoutError
        return self._answer()

    def _answer(self) -> Appended:
        if self._error is not None:
            raise self._error
        assert self._appended is not None
        return self._appended

    def mark_received(self, settlement: Settlement) -> None:
        """The writer wrote the rows."""
        self._appended = settlement.appended
        if self._received_event is not None:
            self._received_event.set()

    def mark_durable(self, settlement: Settlement) -> None:
        """The writer synced what it wrote."""
        self._appended = settlement.appended
        self._durable = True
        if self._event is not None:
            self._event.set()

    def fail(self, error: Exception, *, messages: int = 1) -> None:  # noqa: ARG002  # it is one
        """The rows are not stored."""
        if self.done():
            return
        self._error = error
        if self._received_event is not None:
            self._received_event.set()
        if self._event is not None:
            self._event.set()
