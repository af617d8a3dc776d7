"""T6: what goes in by a frame of any library comes out of it equal."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from tests.support.governed_ticks import decoded, trades

if TYPE_CHECKING:
    from tickmesh.registry import RegistryClient
    from tickmesh.ticks import TickClient

pytestmark = pytest.mark.integration

PROPERTIES: dict[str, Any] = {
    "ts": {"type": "string", "format": "date-time", "x-tick-role": "event_time"},
    "symbol": {"type": "string", "arrow": "dictionary<int32, utf8>", "x-tick-role": "symbol"},
    "id": {"type": ["integer", "null"], "arrow": "uint64"},
    "sequence": {"type": "integer", "arrow": "uint64"},
    "lots": {"type": ["integer", "null"], "arrow": "int16"},
    "amount": {"type": ["number", "null"], "arrow": "decimal128(18, 4)"},
    "price": {"type": "number"},
    "flag": {"type": ["boolean", "null"]},
    "note": {"type": ["string", "null"]},
    "day": {"type": ["string", "null"], "format": "date", "arrow": "date32"},
    "clock": {"type": ["string", "null"], "format": "time", "arrow": "time64[ns]"},
}
REQUIRED = ["ts", "symbol", "sequence", "price"]
EDGES = pa.table(
    {
        "ts": pa.array([1723123800123456789, 0, -1], pa.timestamp("ns", "UTC")),
        "symbol": pa.array(["IBM", "AAPL", "IBM"]).dictionary_encode(),
        "id": pa.array([2**64 - 1, None, 2**63], pa.uint64()),
        "sequence": pa.array([2**64 - 1, 0, 1], pa.uint64()),
        "lots": pa.array([None, -(2**15), 2**15 - 1], pa.int16()),
        "amount": pa.array(["99999999999999.9999", None, "-0.0001"]).cast(pa.decimal128(18, 4)),
        "price": pa.array([0.1, -0.0, 5e-324]),
        "flag": pa.array([True, None, False]),
        "note": pa.array([None, "", "naïve\N{SNOWMAN}"]),
        "day": pa.array([dt.date(2024, 2, 29), None, dt.date(1969, 12, 31)]),
        "clock": pa.array([1, None, 86_399_999_999_999], pa.time64("ns")),
    }
)


@pytest.fixture
def edges(registry: RegistryClient) -> str:
    """A subject with a column of each awkward type."""
    name = f"ticks.edges_{uuid.uuid4().hex[:8]}"
    schema = {"type": "object", "properties": PROPERTIES, "required": REQUIRED}
    registry.register(name, json.dumps(schema))
    return name


def test_t6_polars_in_and_polars_out_are_equal(ticks: TickClient, edges: str) -> None:
    frame = pl.DataFrame(pl.from_arrow(EDGES))
    assert ticks.put(edges, frame).rows == 3
    assert_frame_equal(ticks.to_polars(edges), frame, categorical_as_str=True)
    assert decoded(ticks.read(edges)).equals(decoded(EDGES))


def test_t6_pandas_out_and_in_and_out_are_equal(ticks: TickClient, edges: str) -> None:
    ticks.put(edges, EDGES)
    frame = ticks.to_pandas(edges)
    assert frame["id"].tolist() == [2**64 - 1, pd.NA, 2**63]
    assert frame["sequence"].tolist() == [2**64 - 1, 0, 1]
    assert frame["amount"].tolist() == [Decimal("99999999999999.9999"), None, Decimal("-0.0001")]
    assert frame["ts"].astype("int64").tolist() == [1723123800123456789, 0, -1]
    assert frame.dtypes.astype(str).to_dict() == {
        "ts": "datetime64[ns, UTC]",
        "symbol": "category",
        "id": "UInt64",
        "sequence": "uint64",
        "lots": "Int16",
        "amount": "object",
        "price": "float64",
        "flag": "boolean",
        "note": frame["note"].dtype.name,
        "day": "object",
        "clock": "time64[ns][pyarrow]",
    }
    receipt = ticks.put(edges, frame)
    again = ticks.read(edges).slice(3)
    assert receipt.rows == again.num_rows == 3
    assert decoded(again).equals(decoded(EDGES))


def test_t6_the_types_of_a_frame_do_not_hang_on_its_rows(ticks: TickClient, edges: str) -> None:
    whole = EDGES.set_column(2, "id", pa.array([1, 2, 3], pa.uint64()))
    ticks.put(edges, whole)
    ticks.put(edges, EDGES)
    without_nulls = ticks.to_pandas(edges, limit=3)
    assert without_nulls["id"].dtype == ticks.to_pandas(edges)["id"].dtype == "UInt64"


@pytest.mark.parametrize("library", ["arrow", "pandas", "polars"])
def test_t6_a_frame_without_rows_comes_back_with_its_columns(
    ticks: TickClient, edges: str, library: str
) -> None:
    empty: Any = EDGES.slice(0, 0)
    if library == "pandas":
        empty = empty.to_pandas()
    elif library == "polars":
        empty = pl.from_arrow(empty)
    assert ticks.put(edges, empty).rows == 0
    assert ticks.read(edges).num_rows == 0
    assert decoded(ticks.read(edges)).schema.equals(decoded(EDGES).schema)
    assert ticks.to_pandas(edges).columns.tolist() == EDGES.column_names
    assert ticks.to_polars(edges).columns == EDGES.column_names


def test_t6_categories_of_every_kind_are_text(ticks: TickClient, subject: str) -> None:
    base = trades(3)
    symbols = base.column("symbol").to_pylist()
    frames: list[Any] = [
        base.to_pandas().assign(symbol=pd.Categorical(symbols)),
        base.to_pandas().assign(symbol=pd.Series(symbols, dtype=object)),
        pl.DataFrame(pl.from_arrow(base)).with_columns(pl.Series("symbol", symbols)),
        pl.DataFrame(pl.from_arrow(base)).with_columns(
            pl.Series("symbol", symbols, dtype=pl.Enum(sorted(set(map(str, symbols)))))
        ),
    ]
    for frame in frames:
        ticks.put(subject, frame)
    stored = decoded(ticks.read(subject))
    assert stored.column("symbol").to_pylist() == symbols * len(frames)


def test_t6_a_dictionary_that_changes_from_batch_to_batch_is_followed(
    ticks: TickClient, edges: str
) -> None:
    rows = 20_000
    names = [f"S{number}" for number in range(rows)]
    table = pa.table(
        {
            "ts": pa.array(range(rows), pa.timestamp("ns", "UTC")),
            "symbol": pa.array(names),
            "sequence": pa.array(range(rows), pa.uint64()),
            "price": pa.array([1.0] * rows),
        }
    )
    pieces = [table.slice(start, 1_000) for start in range(0, rows, 1_000)]
    encoded = [
        batch
        for piece in pieces
        for batch in piece.set_column(
            1, "symbol", piece.column("symbol").dictionary_encode()
        ).to_batches()
    ]
    ticks.put(edges, encoded)
    assert decoded(ticks.read(edges, columns=["symbol"])).column(0).to_pylist() == names
    assert ticks.to_polars(edges, columns=["symbol"])["symbol"].to_list() == names


def test_a_frame_with_its_times_in_the_index_is_stored(ticks: TickClient, subject: str) -> None:
    frame = trades(3).to_pandas().set_index("ts")
    ticks.put(subject, frame)
    assert decoded(ticks.read(subject)).equals(decoded(trades(3)))


def test_a_naive_frame_of_polars_is_localised(ticks: TickClient, subject: str) -> None:
    frame = pl.DataFrame(
        {
            "ts": [dt.datetime(2024, 8, 8, 9, 30)],  # noqa: DTZ001 — that is the point
            "symbol": ["IBM"],
            "price": [1.0],
            "size": [1],
        }
    )
    ticks.put(subject, frame, tz="America/New_York")
    stored = ticks.to_polars(subject)["ts"]
    assert stored.to_list() == [dt.datetime(2024, 8, 8, 13, 30, tzinfo=dt.UTC)]
