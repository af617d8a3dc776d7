"""A second opinion while data flow: the row oracle judges a sample of verdicts again.

Verdicts on columns are proven by tests; this watches the proof hold on the data of every day.  The
sample is judged on a thread of its own: a check that lags drops batches and counts them, it never
holds up the rows.
"""

from __future__ import annotations

import logging
import random
import threading
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from typing import TYPE_CHECKING, Any

import numpy as np

from tickmesh.schema.validation import masks

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh.schema.validation.reasons import Reason
    from tickmesh.schema.validation.verdicts import Verdicts

_log = logging.getLogger(__name__)

ROWS_A_SAMPLE = 256
"""At most one row in so many of a batch is judged again; a refused one in any case."""

_PENDING_BATCHES = 4
_CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A row on which columns and oracle differ: a defect of ours.

    Attributes:
        row: Its place in the batch.
        good: What the columns say.
        reasons: What the oracle says; none if the row is good to it.
    """

    row: int
    good: bool
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Recheck:
    """What the check of one batch found.

    Attributes:
        rows: How many rows were judged again.
        disagreements: Those on which the verdicts differ.
    """

    rows: int
    disagreements: tuple[Disagreement, ...]


class SelfCheck:
    """Judges samples of verdicts again, off the hot path; safe to share between threads.

    Args:
        on_recheck: Called on the checking thread with what each batch's check found.
        seed: Of the choice of rows; at random by default.

    Attributes:
        rows_checked: How many rows were judged again.
        disagreements: On how many of them the verdicts differ: anything but 0 is an alarm.
        batches_dropped: How many batches were not sampled, because the check lagged or failed.
    """

    def __init__(
        self, *, on_recheck: Callable[[Recheck], None] | None = None, seed: int | None = None
    ) -> None:
        self.rows_checked = 0
        self.disagreements = 0
        self.batches_dropped = 0
        self._on_recheck = on_recheck
        self._random = random.Random(seed)  # noqa: S311 - which rows are sampled is no secret
        self._pending: Queue[Verdicts | None] = Queue(_PENDING_BATCHES)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def observe(self, verdicts: Verdicts) -> None:
        """Take note of verdicts; returns at once."""
        with self._lock:
            if self._closed:
                return
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="tickmesh-self-check", daemon=True
                )
                self._thread.start()
            try:
                self._pending.put_nowait(verdicts)
            except Full:
                self.batches_dropped += 1

    def drain(self) -> None:
        """Wait until everything observed so far is checked."""
        self._pending.join()

    def close(self) -> None:
        """Stop the thread; what is pending is dropped."""
        with self._lock:
            self._closed = True
            thread = self._thread
        if thread is None:
            return
        with suppress(Empty):
            while True:
                self._pending.get_nowait()
                self._pending.task_done()
                self.batches_dropped += 1
        self._pending.put(None)
        thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        while (verdicts := self._pending.get()) is not None:
            try:
                self._check(verdicts)
            except Exception:  # noqa: BLE001 - a check that fails must not end all later ones
                _log.exception("the self-check of a batch failed")
                self.batches_dropped += 1
            finally:
                self._pending.task_done()
        self._pending.task_done()

    def _check(self, verdicts: Verdicts) -> None:
        found = recheck(verdicts, self._random)
        self.rows_checked += found.rows
        self.disagreements += len(found.disagreements)
        if self._on_recheck is not None and found.rows:
            self._on_recheck(found)


def sample(verdicts: Verdicts, chance: random.Random) -> list[int]:
    """Rows to judge again: one in `ROWS_A_SAMPLE`, one or half of them refused ones, ascending."""
    length = len(verdicts)
    good = masks.flags_of(verdicts.good)
    refused: Any = (~good).nonzero()[0]
    count = max(length // ROWS_A_SAMPLE, 1 if len(refused) else 0)
    bad_count = min(len(refused), (count + 1) // 2)
    rows = {int(refused[place]) for place in chance.sample(range(len(refused)), bad_count)}
    # Chosen among all rows, so that good ones have their share.
    rows.update(chance.sample(range(length), count - bad_count))
    return sorted(rows)


def recheck(verdicts: Verdicts, chance: random.Random) -> Recheck:
    """Judge a sample of verdicts again, now."""
    rows = sample(verdicts, chance)
    if not rows:
        return Recheck(0, ())
    opinions = verdicts.by_oracle(rows)
    good = masks.flags_of(verdicts.good)[np.array(rows)].tolist()
    return Recheck(
        len(rows),
        tuple(
            Disagreement(row, valid, reasons)
            for row, valid, reasons in zip(rows, good, opinions, strict=True)
            if valid is bool(reasons)
        ),
    )
