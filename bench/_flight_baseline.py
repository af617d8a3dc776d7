"""Flight servers that keep no promise: what the tick store is measured against.

`python -m bench._flight_baseline discard | naive DIRECTORY | memory ROWS` prints its port and
serves until its standard input ends.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import flight

from bench._ticks import tick_batch

_SYNC_EVERY = 32


class DiscardServer(flight.FlightServerBase):
    """Reads and forgets."""

    def do_put(self, *call: Any) -> None:
        reader = call[2]
        while True:
            try:
                reader.read_chunk()
            except StopIteration:
                return


class NaiveServer(flight.FlightServerBase):
    """Appends what comes to one Arrow stream file, unjudged; fdatasync every 32 messages."""

    def __init__(self, location: str, directory: Path) -> None:
        super().__init__(location)
        self._directory = directory
        self._files = 0

    def do_put(self, *call: Any) -> None:
        _, _, reader, writer = call
        self._files += 1
        path = self._directory / f"{self._files}.arrows"
        with path.open("wb", buffering=0) as file:
            count = 0
            with pa.ipc.new_stream(file, reader.schema) as out:
                while True:
                    try:
                        chunk = reader.read_chunk()
                    except StopIteration:
                        break
                    out.write_batch(chunk.data)
                    count += 1
                    if count % _SYNC_EVERY == 0:
                        os.fdatasync(file.fileno())
                        writer.write(count.to_bytes(8, "little"))
            os.fdatasync(file.fileno())
            writer.write(count.to_bytes(8, "little"))
        path.unlink()


class MemoryServer(flight.FlightServerBase):
    """Serves one table from memory."""

    def __init__(self, location: str, rows: int) -> None:
        super().__init__(location)
        step = 65_536
        self._table = pa.Table.from_batches(
            [tick_batch(min(step, rows - start), seed=start) for start in range(0, rows, step)]
        )

    def do_get(self, *_call: Any) -> flight.RecordBatchStream:
        return flight.RecordBatchStream(self._table)


def main() -> None:
    """Serve the baseline that the command line names."""
    location = "grpc://127.0.0.1:0"
    server: flight.FlightServerBase
    match sys.argv[1:]:
        case ["discard"]:
            server = DiscardServer(location)
        case ["naive", directory]:
            server = NaiveServer(location, Path(directory))
        case ["memory", rows]:
            server = MemoryServer(location, int(rows))
        case other:
            raise SystemExit(f"expected discard, naive DIRECTORY or memory ROWS; was {other}")
    print(server.port, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
