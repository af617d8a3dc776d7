"""A process that uses a store in every way that changes its files, and tells what it was promised.

Each message to standard output is a JSON object with all that has been acknowledged so far. Run as
`python -m tests.integration.tick_engine.crash_states.victim DIRECTORY` under a recorder.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.ticks import DATASET, SCHEMA, VERSION_1, admit, ticks
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.producers import ProducerSequence
from tickmesh_tickstore.engine import DiskEngine

if TYPE_CHECKING:
    import pyarrow as pa

    from tickmesh_tickstore.engine import AppendFuture

PRODUCER = "feed"
LIMITS = EngineLimits(log_bytes=16_000)
BURST = (3, 1, 4, 2, 30, 2, 1, 5)
MESSAGES = (5, 3, 40, 7, 2, 30, 1, 120, 4, 4, 90, 6, 2, 60, 10, *BURST, 3, 80, 5, 2)
"""Rows of each message, in the order of their sequences."""


def rows_before(count: int) -> int:
    """The rows of the first messages."""
    return sum(MESSAGES[:count])


class _Feed:
    """One producer that goes through the messages, across restarts of the store."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sent = 0
        self._start()

    def _start(self) -> None:
        self.engine = DiskEngine(self._root, limits=LIMITS)
        if not self.engine.datasets():
            self.engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
        self._epoch = self.engine.open_producer(DATASET, PRODUCER).epoch
        self._tell()

    def start_again(self) -> None:
        self.engine.close()
        self._start()

    def _tell(self) -> None:
        told = {"epoch": self._epoch, "messages": self._sent}
        os.write(sys.stdout.fileno(), json.dumps(told).encode())

    def _next(self) -> tuple[ProducerSequence, pa.RecordBatch]:
        rows = ticks(MESSAGES[self._sent], first=rows_before(self._sent))
        self._sent += 1
        return ProducerSequence(PRODUCER, self._epoch, self._sent), rows

    def put(self, messages: int) -> None:
        """Append messages that may share a commit group."""
        futures: list[AppendFuture] = []
        for _ in range(messages):
            producer, rows = self._next()
            futures.append(
                self.engine.append(DATASET, rows, stamp=VERSION_1, judge=admit, producer=producer)
            )
        for future in futures:
            future.result(30)
        self._tell()

    def upload(self) -> None:
        """Append a message as an atomic upload of two batches."""
        producer, rows = self._next()
        with self.engine.begin_upload(
            DATASET, stamp=VERSION_1, judge=admit, producer=producer
        ) as upload:
            upload.append(rows.slice(0, 1))
            upload.append(rows.slice(1))
            upload.commit(batches=2, rows=rows.num_rows).result(30)
        self._tell()

    def compact(self) -> None:
        """Bring everything into settled segments, small ones merged."""
        self.engine.compact(DATASET, timeout_seconds=30)

    def seal(self) -> None:
        """Move everything out of the log."""
        self.engine.flush(DATASET, timeout_seconds=30)


def use(root: Path) -> None:
    """Go through every message: groups, uploads, seals, compactions, restarts."""
    feed = _Feed(root)
    feed.put(1)
    feed.put(3)
    feed.upload()
    feed.put(1)
    feed.seal()
    feed.put(2)
    feed.start_again()
    feed.put(2)
    feed.upload()
    feed.seal()
    feed.put(1)
    feed.start_again()
    feed.put(3)
    feed.put(len(BURST))
    feed.compact()
    feed.put(2)
    feed.seal()
    feed.put(1)
    feed.compact()
    feed.put(1)
    feed.engine.close()


if __name__ == "__main__":
    use(Path(sys.argv[1]))
