"""DuckDB and Delta Lake, in process: what a Python user would reach for. Nothing judged.

`python -m bench._table_baselines duckdb|delta DIRECTORY` prints `ready`, then answers each line
`ROWS ROWS_A_BATCH` with the seconds that appending so many rows took. It runs under a Python of
its own, beside ArcticDB's.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from bench._ticks import sliced, tick_batch

if TYPE_CHECKING:
    from collections.abc import Callable

_MICROSECONDS = pa.timestamp("us", "UTC")


def main() -> None:
    """Append as standard input asks."""
    kind, directory = sys.argv[1], Path(sys.argv[2]).resolve()
    directory.mkdir(parents=True)
    append = {"duckdb": _duckdb, "delta": _delta}[kind](directory)
    print("ready", flush=True)
    for number, line in enumerate(sys.stdin):
        rows, rows_a_batch = map(int, line.split())
        tables = [_plain(batch) for batch in sliced(tick_batch(rows), rows_a_batch)]
        started = time.perf_counter()
        for table in tables:
            append(f"ticks{number}", table)
        print(time.perf_counter() - started, flush=True)


def _duckdb(directory: Path) -> Callable[[str, Any], None]:
    """One transaction a batch, in a database file."""
    import duckdb

    database = duckdb.connect(str(directory / "ticks.duckdb"))
    made: set[str] = set()

    def append(name: str, table: Any) -> None:
        database.register("batch", table)
        if name in made:
            database.execute(f"INSERT INTO {name} SELECT * FROM batch")
        else:
            database.execute(f"CREATE TABLE {name} AS SELECT * FROM batch")
            made.add(name)
        database.unregister("batch")

    return append


def _delta(directory: Path) -> Callable[[str, Any], None]:
    """One commit a batch."""
    import deltalake

    def append(name: str, table: Any) -> None:
        deltalake.write_deltalake(str(directory / name), table, mode="append")

    return append


def _plain(batch: Any) -> Any:
    """A batch as both take it: microseconds, and text where we have a dictionary."""
    table = pa.Table.from_batches([batch])
    for place, name, data_type in ((0, "ts", _MICROSECONDS), (1, "symbol", pa.utf8())):
        column = table.column(name).cast(data_type, safe=False)
        table = table.set_column(place, name, column)
    return table


if __name__ == "__main__":
    main()
