"""ArcticDB on LMDB, in process: no network, no fsync, nothing judged.

`python -m bench._arcticdb_baseline DIRECTORY` prints `ready`, then answers each line
`ROWS ROWS_A_BATCH` with the seconds that appending so many rows took. It runs under a Python of
its own, since ArcticDB and tickmesh need other versions of pandas and protobuf.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from bench._ticks import sliced, tick_batch


def main() -> None:
    """Append as standard input asks."""
    import arcticdb

    store = arcticdb.Arctic(f"lmdb://{Path(sys.argv[1]).resolve()}?map_size=8GB")
    library = store.create_library("bench")
    print("ready", flush=True)
    for number, line in enumerate(sys.stdin):
        rows, rows_a_batch = map(int, line.split())
        frames = [frame_of(batch) for batch in sliced(tick_batch(rows), rows_a_batch)]
        symbol = f"ticks{number}"
        started = time.perf_counter()
        for frame in frames:
            library.append(symbol, frame)
        print(time.perf_counter() - started, flush=True)
        library.delete(symbol)


def frame_of(batch: Any) -> Any:
    """A batch as ArcticDB takes it: indexed by time, and text where we have a dictionary."""
    frame = batch.to_pandas()
    frame["symbol"] = frame["symbol"].astype(str)
    frame["ts"] = frame["ts"].dt.tz_localize(None)
    return frame.set_index("ts")


if __name__ == "__main__":
    main()
