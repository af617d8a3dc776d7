"""A process that writes to a store until it is killed, and tells what was acknowledged.

Its messages are numbered by producer sequence, message n holds the rows `ROWS * (n - 1)` and on.
It prints the last durable sequence each time an acknowledgement comes; every tenth message is an
atomic upload. Run as `python -m tests.integration.tick_engine.kill_victim DIRECTORY`.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from pathlib import Path

from tests.support.ticks import DATASET, SCHEMA, VERSION_1, admit, ticks
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.producers import ProducerSequence
from tickmesh_tickstore.engine import AppendFuture, DiskEngine

ROWS = 20
PRODUCER = "feed"
LIMITS = EngineLimits(log_bytes=20_000)
_IN_FLIGHT = 8


def write_for_ever(root: Path) -> None:
    """Go on behind the last stored sequence until killed."""
    engine = DiskEngine(root, limits=LIMITS)
    if not engine.datasets():
        engine.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    state = engine.open_producer(DATASET, PRODUCER)
    sequence = state.last_sequence
    waiting: deque[tuple[int, AppendFuture]] = deque()
    while True:
        sequence += 1
        batch = ticks(ROWS, first=ROWS * (sequence - 1))
        producer = ProducerSequence(PRODUCER, state.epoch, sequence)
        if sequence % 10 == 0:
            with engine.begin_upload(
                DATASET, stamp=VERSION_1, judge=admit, producer=producer
            ) as upload:
                upload.append(batch.slice(0, 7))
                upload.append(batch.slice(7))
                future = upload.commit(batches=2, rows=ROWS)
        else:
            future = engine.append(DATASET, batch, stamp=VERSION_1, judge=admit, producer=producer)
        waiting.append((sequence, future))
        if len(waiting) >= _IN_FLIGHT:
            durable, oldest = waiting.popleft()
            oldest.result(30)
            os.write(sys.stdout.fileno(), f"{durable}\n".encode())


if __name__ == "__main__":
    write_for_ever(Path(sys.argv[1]))
