"""A process that drops, pins and deletes rows, and tells what it was promised.

Each message to standard output is a JSON object with all that holds from then on. Run as
`python -m tests.integration.tick_engine.crash_states.retention_victim DIRECTORY` under a recorder.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.support.ticks import DATASET, SCHEMA, VERSION_1, admit, put, ticks
from tickmesh_tickstore.domain.retention import Retention
from tickmesh_tickstore.engine import DiskEngine

NOW_NS = 1_000_000
ROWS = 20
"""Rows of each put, which is sealed into a segment of its own."""
OTHER = "ticks.other"
SNAPSHOT = "kept"
SNAPSHOT_REVISION = 3
PUT_REVISIONS = (1, 2, 3, 4, 5, 7, 8)
TRIMS = {6: 4, 9: 5}
"""The puts that are dropped from a revision on; the sixth shares a segment with the seventh."""


def rows_at(revision: int) -> list[int]:
    """The rows that a read as of a revision sees, once everything went well."""
    puts = sum(put_at <= revision for put_at in PUT_REVISIONS)
    dropped = max((count for at, count in TRIMS.items() if at <= revision), default=0)
    return list(range(dropped * ROWS, puts * ROWS))


class _Steward:
    """Goes through the script, and says after each step what holds from then on."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._told: dict[str, int] = {}
        self._puts = 0
        self.engine = self._open()

    def _open(self) -> DiskEngine:
        return DiskEngine(self._root, now_ns=lambda: NOW_NS)

    def start_again(self) -> None:
        self.engine.close()
        self.engine = self._open()

    def tell(self, **promised: int) -> None:
        self._told |= promised
        os.write(sys.stdout.fileno(), json.dumps(self._told).encode())

    def put(self, *, sealed: bool = True) -> None:
        done = put(self.engine, ticks(ROWS, first=ROWS * self._puts))
        self._puts += 1
        assert done.dataset_revision is not None, "no producer, so no duplicate"
        self.tell(revision=done.dataset_revision)
        if sealed:
            self.engine.flush(DATASET, timeout_seconds=30)

    def trim(self, puts: int) -> None:
        oldest_ns = 10 * ROWS * puts
        self.engine.trim(DATASET, Retention(max_age_ns=NOW_NS - oldest_ns))
        self.tell(revision=self.engine.dataset(DATASET).revision)

    def reclaim(self) -> None:
        self.engine.reclaim(DATASET, dropped_before_ns=NOW_NS)


def use(root: Path) -> None:
    """Puts, a snapshot, retention, a restart, a deletion."""
    steward = _Steward(root)
    for name in (DATASET, OTHER):
        steward.engine.create_dataset(name, stamp=VERSION_1, schema=SCHEMA)
    for _ in range(2):
        steward.engine.append(OTHER, ticks(ROWS), stamp=VERSION_1, judge=admit).result(30)
        steward.engine.flush(OTHER, timeout_seconds=30)
    for _ in range(3):
        steward.put()
    steward.engine.create_snapshot(SNAPSHOT)
    steward.tell(snapshot=1, other=1)
    steward.put()
    steward.put()
    steward.trim(4)
    steward.reclaim()
    steward.put(sealed=False)
    steward.start_again()
    steward.put()
    steward.tell(snapshot=0)
    steward.engine.delete_snapshot(SNAPSHOT)
    steward.tell(other=0)
    steward.engine.delete_dataset(OTHER)
    steward.tell(deleted=1)
    steward.reclaim()
    steward.trim(6)
    steward.reclaim()
    steward.engine.close()


if __name__ == "__main__":
    use(Path(sys.argv[1]))
