"""A process that goes through one scenario once for each fault, in a fork of its own.

Reads faults as lines `CALLS:ERROR:WHEN` in the words of strace and answers each with one JSON
object: what was raised, and what is stored in the end. Run as
`python -m tests.integration.tick_engine.faults.victim DIRECTORY`.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from tests.support.ticks import DATASET, SCHEMA, VERSION_1, admit, decoded, ticks
from tickmesh_tickstore.domain.errors import DatasetDamagedError, DiskFullError, TickStoreError
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.producers import ProducerSequence
from tickmesh_tickstore.domain.requests import ScanRequest
from tickmesh_tickstore.engine import DiskEngine
from tickmesh_tickstore.engine.disk import sealing

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh_tickstore.engine import Appended

PRODUCER = "feed"
LIMITS = EngineLimits(log_bytes=6_000)
MESSAGES = (5, 40, 30, 20, 60, 7, 50, 5)
"""Rows of each message; every third is an atomic upload."""
_PATIENCE = 3
"""Failures in a row before the disk is mended."""


class Strace:
    """Attached to this process: some of its calls fail."""

    def __init__(self, fault: str) -> None:
        calls, error, when = fault.split(":")
        # Opened before: opening a file may be what fails.
        status = os.open("/proc/self/status", os.O_RDONLY)
        self._process = subprocess.Popen(
            [
                *("strace", "-f", "-p", str(os.getpid()), "-o", "/dev/null", "-e", "signal=none"),
                *("-e", f"trace={calls}", "-e", f"inject={calls}:error={error}:when={when}"),
            ],
            stderr=subprocess.DEVNULL,
        )
        while b"TracerPid:\t0\n" in os.pread(status, 4096, 0):
            assert self._process.poll() is None, "strace may not attach to this process"
            time.sleep(0.001)  # there is nothing to be told of it
        os.close(status)

    def detach(self) -> None:
        """Let every call be what it is."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)


@dataclass
class Told:
    """What a producer went through.

    Attributes:
        raised: Kinds and messages of errors, in order.
        wrong: Broken promises; there should be none.
        messages: How many are stored in the end.
    """

    raised: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    messages: int = 0


class Feed:
    """A producer that retries what was refused and restarts a store that says it must be."""

    def __init__(self, root: Path, *, mend: Callable[[], None], can_open_files: bool) -> None:
        self.told = Told()
        self._can_open_files = can_open_files
        self._root = root
        self._mend = mend
        self._store: DiskEngine | None = None
        self._acknowledged = 0
        self._epoch = 0

    def run(self) -> None:
        """Go on until every message is acknowledged."""
        failures = 0
        while self._acknowledged < len(MESSAGES):
            try:
                store = self._open()
                if self._acknowledged == len(MESSAGES):
                    return  # the last one was stored, and its acknowledgement lost
                appended = self._send(store, self._acknowledged)
                if appended.duplicate:
                    self.told.wrong.append("a message that was refused is a duplicate")
                self._acknowledged += 1
                failures = 0
                if self._acknowledged % 4 == 0:
                    store.flush(DATASET, timeout_seconds=1)
            except (DiskFullError, TimeoutError) as error:
                self._note(error)
                self._require_readable()
            except (TickStoreError, OSError) as error:
                self._note(error)
                self._require_readable()
                self.close()
            except Exception as error:  # noqa: BLE001  # an untyped error is what is looked for
                self.told.wrong.append(f"untyped {type(error).__name__}: {error}")
                self.close()
            else:
                continue
            failures += 1
            if failures > _PATIENCE:
                self._mend()

    def _note(self, error: Exception) -> None:
        self.told.raised.append(f"{type(error).__name__}: {error}")
        if not isinstance(error, OSError) and str(self._root) in str(error):
            self.told.wrong.append(f"a path is told: {error}")
        if isinstance(error, OSError) and self._store is not None and str(error):
            self.told.wrong.append(f"untyped {type(error).__name__}: {error}")

    def _open(self) -> DiskEngine:
        if self._store is None:
            store = DiskEngine(self._root, limits=LIMITS)
            try:
                if not store.datasets():
                    store.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
                state = store.open_producer(DATASET, PRODUCER)
            except BaseException:
                store.close()
                raise
            if state.last_sequence < self._acknowledged:
                self.told.wrong.append(
                    f"{self._acknowledged} acknowledged, {state.last_sequence} known"
                )
            if state.epoch <= self._epoch:
                self.told.wrong.append(f"epoch {state.epoch} after {self._epoch}")
            self._acknowledged, self._epoch = state.last_sequence, state.epoch
            self._store = store
        return self._store

    def _send(self, store: DiskEngine, place: int) -> Appended:
        rows = ticks(MESSAGES[place], first=sum(MESSAGES[:place]))
        producer = ProducerSequence(PRODUCER, self._epoch, place + 1)
        if place % 3 == 2:
            with store.begin_upload(
                DATASET, stamp=VERSION_1, judge=admit, producer=producer
            ) as upload:
                upload.append(rows.slice(0, 9))
                upload.append(rows.slice(9))
                return upload.commit(batches=2, rows=rows.num_rows).result(20)
        future = store.append(DATASET, rows, stamp=VERSION_1, judge=admit, producer=producer)
        return future.result(20)

    def _require_readable(self) -> None:
        """Whatever fails, acknowledged rows can be read; if their files open."""
        if self._store is None:
            return
        try:
            self._compare(self._store, at_least=self._acknowledged)
        except DatasetDamagedError as error:
            self._note(error)
            if self._can_open_files:
                self.told.wrong.append(f"rows cannot be read: {error}")

    def _compare(self, store: DiskEngine, *, at_least: int) -> None:
        rows = decoded(store.scan(ScanRequest(dataset=DATASET)).read_all())
        sent = decoded(pa.Table.from_batches([ticks(sum(MESSAGES))]))
        if rows.num_rows < sum(MESSAGES[:at_least]):
            self.told.wrong.append(f"{at_least} messages acknowledged, {rows.num_rows} rows")
        if not rows.equals(sent.slice(0, rows.num_rows)):
            self.told.wrong.append(f"{rows.num_rows} other rows than were sent")

    def close(self) -> None:
        """Stop the store."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def finish(self) -> None:
        """Open what is left once more: everything is there, once."""
        self.close()
        self._compare(self._open(), at_least=len(MESSAGES))
        self.close()
        self.told.messages = self._acknowledged


def suffer(root: Path, fault: str) -> Told:
    """Go through the scenario while a fault strikes."""
    strace = Strace(fault)
    feed = Feed(root, mend=strace.detach, can_open_files=not fault.startswith("openat"))
    try:
        feed.run()
        feed.close()
    finally:
        strace.detach()
    feed.finish()
    return feed.told


def main(root: Path) -> None:
    """Answer each line of standard input."""
    logging.disable()
    sealing._RETRY_SECONDS = 0.01  # a second for each fault would be an hour
    for number, line in enumerate(sys.stdin):
        # A fork: the libraries are loaded once, and no fault leaves anything behind.
        child = os.fork()
        if child == 0:
            try:
                told = suffer(root / str(number), line.strip())
            except BaseException as error:  # noqa: BLE001  # said, and never lost with the fork
                told = Told(wrong=[f"the scenario broke: {type(error).__name__}: {error}"])
            answer = json.dumps({"fault": line.strip(), **vars(told)}) + "\n"
            os.write(sys.stdout.fileno(), answer.encode())
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
