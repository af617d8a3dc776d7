"""ArcticDB on LMDB, read in process: no network.

`python -m bench._arcticdb_reads DIRECTORY ROWS` stores rows and prints `ready`, then answers each
line with the seconds that reading all of them took. It runs under a Python of its own, since
ArcticDB and tickmesh need other versions of pandas and protobuf.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from bench._arcticdb_baseline import frame_of
from bench._ticks import tick_batch

_ROWS_A_SEGMENT = 1_000_000


def main() -> None:
    """Store rows, and read them as standard input asks."""
    import arcticdb

    store = arcticdb.Arctic(f"lmdb://{Path(sys.argv[1]).resolve()}?map_size=8GB")
    library = store.create_library("bench")
    rows = int(sys.argv[2])
    whole = tick_batch(rows)
    for start in range(0, rows, _ROWS_A_SEGMENT):
        library.append("ticks", frame_of(whole.slice(start, _ROWS_A_SEGMENT)))
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        assert len(library.read("ticks").data) == rows
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
