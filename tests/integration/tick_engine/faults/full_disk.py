"""Fills a small disk of its own to the last byte, makes room and goes on.

Run as `python -m tests.integration.tick_engine.faults.full_disk DIRECTORY` in a mount namespace of
its own; prints one JSON object.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa

from tests.support.ticks import DATASET, SCHEMA, VERSION_1, admit, decoded, put, ticks
from tickmesh_tickstore.domain.errors import DiskFullError
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.requests import ScanRequest
from tickmesh_tickstore.engine import DiskEngine

_ROWS = 300
_ROUNDS = 3
_PATIENCE_SECONDS = 60.0
_BALLAST_BYTES = 1_500_000
LIMITS = EngineLimits(log_bytes=100_000)


def fill(folder: Path) -> dict[str, int]:
    """How many messages were stored, and how often there was no room."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)], check=True)
    store = DiskEngine(folder / "store", limits=LIMITS)
    store.create_dataset(DATASET, stamp=VERSION_1, schema=SCHEMA)
    stored = refused = 0
    for number in range(_ROUNDS):
        (folder / f"ballast-{number}").write_bytes(bytes(_BALLAST_BYTES))
    for number in range(_ROUNDS):
        while True:
            try:
                put(store, ticks(_ROWS, first=_ROWS * stored))
            except DiskFullError:
                break
            stored += 1
        refused += 1
        _require_rows(store, stored)
        try:
            with store.begin_upload(DATASET, stamp=VERSION_1, judge=admit) as upload:
                for _ in range(400):
                    upload.append(ticks(_ROWS))
                upload.commit(batches=400, rows=400 * _ROWS).result(30)
        except DiskFullError:
            refused += 1
        _require_rows(store, stored)
        (folder / f"ballast-{number}").unlink()
        _put_once_there_is_room(store, ticks(_ROWS, first=_ROWS * stored))
        stored += 1
        if number == 1:
            store.close()
            store = DiskEngine(folder / "store", limits=LIMITS)
    store.close()
    store = DiskEngine(folder / "store", limits=LIMITS)
    _require_rows(store, stored)
    store.flush(DATASET, timeout_seconds=30)
    _require_rows(store, stored)
    store.close()
    return {"stored": stored, "refused": refused}


def _put_once_there_is_room(store: DiskEngine, rows: pa.RecordBatch) -> None:
    """The logs have to become segments first, which is tried again each second."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            put(store, rows)
        except DiskFullError:
            assert time.monotonic() < deadline, "room was made, and nothing is taken still"
            time.sleep(0.05)  # no event tells of it: a producer can only try again
        else:
            return


def _require_rows(store: DiskEngine, messages: int) -> None:
    rows = decoded(store.scan(ScanRequest(dataset=DATASET)).read_all())
    sent = decoded(pa.Table.from_batches([ticks(_ROWS * messages)]))
    assert rows.equals(sent), f"{messages} messages acknowledged, {rows.num_rows} rows read"


if __name__ == "__main__":
    logging.disable()
    print(json.dumps(fill(Path(sys.argv[1]))))
