"""As-of joins of ticks by symbol beside polars and DuckDB, in one process and over Flight."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import flight

from bench._measure import at_least, medians, ratio_at_least, report, timed
from bench._servers import mesh, scratch
from bench._ticks import SCHEMA, sliced, tick_batch
from tickmesh.api.tickstore.v1 import commands_pb2, queries_pb2
from tickmesh.registry import RegistryClient
from tickmesh_tickstore.commands import pack
from tickmesh_tickstore.queries.asof_join import JoinKeys, Matching, RightRows, asof_join

if TYPE_CHECKING:
    from collections.abc import Callable

BENCH = "asof"
_RIGHT_ROWS = 1_000_000
_LEFT_ROWS = {"200k": 200_000, "1m": 1_000_000}
_LEFT, _RIGHT = "bench.left", "bench.right"
_ADDED = ("price", "size")
_KEYS = JoinKeys(event_time="ts", symbol="symbol")
_IN_DUCKDB = """
    select l.*, r.price as price_right, r.size as size_right
    from lefts l asof left join rights r on l.symbol = r.symbol and l.ts >= r.ts
"""


def main() -> None:
    """Join in this process, then through a store."""
    right = pa.Table.from_batches([tick_batch(_RIGHT_ROWS)])
    lefts = {name: _left(rows) for name, rows in _LEFT_ROWS.items()}
    for name, left in lefts.items():
        _measure_in_process(name, left, right)
    with ExitStack() as stack:
        home = stack.enter_context(scratch()) / "home"
        running = stack.enter_context(mesh(home, "registry", "tickstore"))
        with RegistryClient(running.addresses["registry"]["grpc"]) as registry:
            for subject in (_LEFT, _RIGHT):
                registry.register(subject, SCHEMA)
        store = flight.connect(f"grpc://{running.addresses['tickstore']['flight']}")
        _put(store, _RIGHT, right)
        _put(store, _LEFT, lefts["200k"])
        _measure_over_flight(store, lefts["200k"].num_rows)


def _left(rows: int) -> pa.Table:
    """Other ticks of the same second as the right ones."""
    whole = tick_batch(_RIGHT_ROWS, seed=1)
    return pa.Table.from_batches([whole.take(np.arange(0, _RIGHT_ROWS, _RIGHT_ROWS // rows))])


def _measure_in_process(name: str, left: pa.Table, right: pa.Table) -> None:
    """Right rows made ready, left rows matched and joined, on one core.

    The others do the whole of it themselves: polars on all cores, DuckDB on tables of its own.
    """
    sides: dict[str, Callable[[], Any]] = {
        "tickmesh": lambda: _joined(left, right),
        "polars": _in_polars(left, right),
        "duckdb": _in_duckdb(left, right),
    }
    prices = sides["tickmesh"]().column("price_right")
    in_polars = sides["polars"]().get_column("price_right").to_arrow()
    assert prices.combine_chunks().equals(in_polars)
    assert prices.null_count == sides["duckdb"]().column("price_right").null_count
    seconds = medians({side: timed(run) for side, run in sides.items()})
    rate = {side: left.num_rows / taken / 1e6 for side, taken in seconds.items()}
    for other, target in (("polars", at_least(4.0)), ("duckdb", ratio_at_least(1.0))):
        report(
            BENCH,
            f"asof_join_{name}_left_rows_over_{other}",
            rate["tickmesh"],
            "M left rows/s",
            baseline=rate[other],
            target=target,
        )


def _joined(left: pa.Table, right: pa.Table) -> pa.Table:
    ready = RightRows(right, Matching(), keys=_KEYS, unit_ns=1)
    batches = left.to_batches(max_chunksize=65_536)
    joined: list[pa.Table] = []
    for batch, places in asof_join(batches, ready, keys=_KEYS):
        added: list[Any] = [ready.rows.column(name).take(places) for name in _ADDED]
        names = [*batch.schema.names, *(f"{name}_right" for name in _ADDED)]
        joined.append(pa.table([*batch.columns, *added], names=names))
    return pa.concat_tables(joined).combine_chunks()


def _in_polars(left: pa.Table, right: pa.Table) -> Callable[[], Any]:
    lefts: Any = pl.from_arrow(left)
    rights: Any = pl.from_arrow(right.select(["ts", "symbol", *_ADDED]))
    return lambda: lefts.join_asof(rights, on="ts", by="symbol", check_sortedness=False)


def _in_duckdb(left: pa.Table, right: pa.Table) -> Callable[[], Any]:
    import duckdb

    connection = duckdb.connect()
    for name, table in (("lefts", left), ("rights", right)):
        connection.register("rows", table)
        connection.execute(f"create table {name} as select * from rows")
        connection.unregister("rows")
    return lambda: connection.sql(_IN_DUCKDB).to_arrow_table()


def _measure_over_flight(store: flight.FlightClient, left_rows: int) -> None:
    """The whole query beside reading both datasets and joining them where they arrive."""
    query = queries_pb2.AsOfJoinCommand(
        left=commands_pb2.ReadCommand(dataset=_LEFT),
        right=commands_pb2.ReadCommand(dataset=_RIGHT, columns=list(_ADDED)),
    )

    def ask() -> None:
        rows = _read(store, flight.FlightDescriptor.for_command(pack(query)))
        assert rows.num_rows == left_rows

    def read_and_join() -> None:
        left = _read(store, flight.FlightDescriptor.for_path(_LEFT))
        right = _read(store, flight.FlightDescriptor.for_path(_RIGHT))
        assert _in_polars(left, right)().height == left_rows

    seconds = medians({"query": timed(ask), "reads": timed(read_and_join)})
    report(
        BENCH,
        "asof_query_200k_left_rows_over_reading_and_polars",
        left_rows / seconds["query"] / 1e6,
        "M left rows/s",
        baseline=left_rows / seconds["reads"] / 1e6,
    )


def _put(store: flight.FlightClient, dataset: str, rows: pa.Table) -> None:
    descriptor = flight.FlightDescriptor.for_path(dataset)
    writer, _ = store.do_put(descriptor, rows.schema)
    for batch in sliced(rows.combine_chunks().to_batches()[0], 65_536):
        writer.write_batch(batch)
    writer.close()


def _read(store: flight.FlightClient, descriptor: flight.FlightDescriptor) -> pa.Table:
    info = store.get_flight_info(descriptor)
    return pa.concat_tables(
        [store.do_get(endpoint.ticket).read_all() for endpoint in info.endpoints]
    )


if __name__ == "__main__":
    main()
