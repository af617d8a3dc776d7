"""Bars beside polars and DuckDB on the same rows; bars and SQL of stored rows through Flight."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pyarrow as pa
from pyarrow import flight

from bench._measure import SECONDS, medians, ratio_at_least, report, timed
from bench._servers import mesh, scratch
from bench._ticks import SCHEMA, sliced, tick_batch
from tickmesh.api.tickstore.v1 import commands_pb2, queries_pb2
from tickmesh.registry import RegistryClient
from tickmesh_tickstore.commands import pack
from tickmesh_tickstore.queries.bars import BarKind, BarRequest, Bars

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

BENCH = "bars"
_ROWS = 2_000_000
_STORED_ROWS = 3_276_800
_DATASET = "bench.bars"
_BATCH_ROWS = 65_536
_WIDTH_NS = 10_000_000
"""About two hundred bars of each of fifty symbols."""
_ROLES = {"ts": "event_time", "symbol": "symbol", "price": "price", "size": "size"}
_KINDS = {
    "tick": (BarKind.TICKS, 100),
    "volume": (BarKind.VOLUME, 50_000),
    "dollar": (BarKind.DOLLARS, 5_000_000),
}
_SQL = """SELECT symbol, epoch_ns(ts) // {width} AS label, first(price) AS open, max(price) AS high,
                 min(price) AS low, last(price) AS close, sum(size) AS volume,
                 sum(price * size) / sum(size) AS vwap, count(*) AS trades
          FROM "{table}" GROUP BY ALL"""


def main() -> None:
    """Measure in one process, then through the store."""
    _measure_in_process()
    with ExitStack() as stack:
        home = stack.enter_context(scratch()) / "home"
        running = stack.enter_context(mesh(home, "registry", "tickstore"))
        with RegistryClient(running.addresses["registry"]["grpc"]) as registry:
            registry.register(_DATASET, SCHEMA)
        store = flight.connect(f"grpc://{running.addresses['tickstore']['flight']}")
        _measure_stored(store)


def _measure_in_process() -> None:
    rows = tick_batch(_ROWS)
    schema = _with_roles(rows.schema)
    batches = [batch.cast(schema) for batch in sliced(rows, _BATCH_ROWS)]
    frame: Any = pl.from_arrow(pa.Table.from_batches([rows]))
    connection = duckdb.connect()
    connection.register("rows", pa.Table.from_batches([rows]))
    every = _WIDTH_NS

    def ours(kind: BarKind, width: float) -> int:
        bars = Bars(schema, BarRequest(kind=kind, width=width))
        needed = list(bars.columns)
        return sum(
            batch.num_rows for batch in bars.built_from(each.select(needed) for each in batches)
        )

    measures: dict[str, Callable[[], object]] = {
        "time": lambda: ours(BarKind.TIME, every),
        "polars": lambda: _polars_bars(frame),
        "duckdb": lambda: connection.sql(_SQL.format(width=every, table="rows")).to_arrow_table(),
    }
    seconds = medians({name: timed(run) for name, run in measures.items()})
    rate = _ROWS / seconds["time"] / 1e6
    for other, target in (("polars", ratio_at_least(1.0)), ("duckdb", None)):
        report(
            BENCH,
            f"time_bars_over_{other}",
            rate,
            "M rows/s",
            baseline=_ROWS / seconds[other] / 1e6,
            target=target,
        )
    kinds = {name: timed(partial(ours, *kind)) for name, kind in _KINDS.items()}
    seconds = medians(kinds, seconds=SECONDS / 2)
    for name in _KINDS:
        report(BENCH, f"{name}_bars", _ROWS / seconds[name] / 1e6, "M rows/s")
    connection.close()


def _polars_bars(frame: pl.DataFrame) -> pl.DataFrame:
    price, size = pl.col("price"), pl.col("size")
    return frame.group_by_dynamic("ts", every=f"{_WIDTH_NS}ns", group_by="symbol").agg(
        open=price.first(),
        high=price.max(),
        low=price.min(),
        close=price.last(),
        volume=size.sum(),
        vwap=(price * size).sum() / size.sum(),
        trades=pl.len(),
    )


def _measure_stored(store: flight.FlightClient) -> None:
    writer, _ = store.do_put(flight.FlightDescriptor.for_path(_DATASET), tick_batch(0).schema)
    for batch in sliced(tick_batch(_STORED_ROWS), _BATCH_ROWS):
        writer.write_batch(batch)
    writer.close()
    read = commands_pb2.ReadCommand(dataset=_DATASET)
    bars = queries_pb2.BarsCommand(read=read, time_ns=_WIDTH_NS)
    sql = queries_pb2.SqlCommand(query=_SQL.format(width=_WIDTH_NS, table=_DATASET))
    one = queries_pb2.SqlCommand(query="SELECT 1")
    seconds = medians(
        {
            "bars": timed(lambda: _ask(store, bars)),
            "sql": timed(lambda: _ask(store, sql)),
            "one": timed(lambda: _ask(store, one)),
        },
        seconds=SECONDS,
    )
    report(BENCH, "stored_time_bars", _STORED_ROWS / seconds["bars"] / 1e6, "M rows/s")
    report(BENCH, "stored_time_bars_by_sql", _STORED_ROWS / seconds["sql"] / 1e6, "M rows/s")
    report(BENCH, "statement_planned_and_answered", seconds["one"] * 1e3, "ms")


def _ask(store: flight.FlightClient, query: Message) -> pa.Table:
    info = store.get_flight_info(flight.FlightDescriptor.for_command(pack(query)))
    (endpoint,) = info.endpoints
    return store.do_get(endpoint.ticket).read_all()


def _with_roles(schema: pa.Schema) -> pa.Schema:
    return pa.schema(
        [
            field.with_metadata({"tickmesh.role": _ROLES[field.name]})
            if field.name in _ROLES
            else field
            for field in schema
        ]
    )


if __name__ == "__main__":
    main()
