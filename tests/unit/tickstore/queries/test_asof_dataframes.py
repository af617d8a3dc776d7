"""The as-of join equals polars' and pandas' on recorded quotes and trades."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pytest

from tests.support.shared_data import shared_folder
from tickmesh_tickstore.queries.asof_join import (
    Direction,
    ExactMatches,
    JoinKeys,
    Matching,
    RightRows,
    asof_join,
)

KEYS = JoinKeys(event_time="ts", symbol="venue")
SECOND = 1_000_000_000
MATCHINGS = [
    Matching(direction=direction, exact=exact, tolerance_ns=tolerance_ns)
    for direction in Direction
    for exact in ExactMatches
    for tolerance_ns in (None, SECOND // 4)
]


@cache
def equities(kind: Literal["quotes", "trades"]) -> pa.Table:
    """A day of one stock: event time, venue and a price, in the order of the file."""
    path = shared_folder("market-data") / f"us_equity_aig_{kind}_20131009.csv.gz"
    names = ["ms", "price", "size", *(["ask", "ask_size"] if kind == "quotes" else [])]
    names += ["venue", "condition", "suspicious"]
    table = csv.read_csv(
        path,
        read_options=csv.ReadOptions(column_names=names),
        convert_options=csv.ConvertOptions(
            include_columns=["ms", "venue", "price", "size"],
            column_types={"ms": pa.int64(), "venue": pa.dictionary(pa.int32(), pa.string())},
        ),
    )
    times = table.column("ms").cast(pa.timestamp("ms", "UTC")).cast(pa.timestamp("ns", "UTC"))
    return table.set_column(0, "ts", times).unify_dictionaries()


def joined(left: pa.Table, right: pa.Table, matching: Matching, keys: JoinKeys) -> list[Any]:
    """For each left row the number of its right row."""
    ready = RightRows(right, matching, keys=keys, unit_ns=1)
    parts = [places for _, places in asof_join(left.to_batches(), ready, keys=keys)]
    found: list[Any] = pa.chunked_array(parts).to_pylist()
    return found


def numbered(table: pa.Table) -> pa.Table:
    """The table with plain text and with its rows numbered."""
    venue = table.column("venue").cast(pa.string())
    table = table.select(["ts"]).append_column("venue", venue)
    return table.append_column("place", pa.array(range(table.num_rows), pa.int64()))


@pytest.mark.parametrize("matching", MATCHINGS, ids=str)
def test_quotes_in_force_at_trades_by_venue(matching: Matching) -> None:
    left, right = equities("trades"), equities("quotes").slice(0, 700_000)
    found = joined(left, right, matching, KEYS)
    assert sum(place is not None for place in found) > 1_000
    # Neither promises which one of equal instants it takes when it looks forward: give it one.
    alone = pl.from_arrow(numbered(right))
    assert isinstance(alone, pl.DataFrame)
    alone = alone.unique(["ts", "venue"], keep="last", maintain_order=True)
    tolerance = matching.tolerance_ns
    expected = pd.merge_asof(
        numbered(left).select(["ts", "venue"]).to_pandas(),
        alone.to_pandas(),
        on="ts",
        by="venue",
        direction=matching.direction.value,
        allow_exact_matches=matching.exact is ExactMatches.ALLOWED,
        tolerance=None if tolerance is None else pd.Timedelta(tolerance, unit="ns"),
    )
    assert [None if pd.isna(place) else int(place) for place in expected["place"]] == found


@pytest.mark.parametrize("matching", MATCHINGS, ids=str)
def test_quotes_in_force_at_trades_of_any_venue(matching: Matching) -> None:
    left, right = equities("trades").slice(0, 20_000), equities("quotes").slice(0, 300_000)
    keys = JoinKeys(event_time="ts", symbol=None)
    found = joined(left, right, matching, keys)
    lefts, rights = pl.from_arrow(numbered(left)), pl.from_arrow(numbered(right))
    assert isinstance(lefts, pl.DataFrame)
    assert isinstance(rights, pl.DataFrame)
    tolerance = matching.tolerance_ns
    expected = lefts.select("ts").join_asof(
        rights.select("ts", "place").unique(["ts"], keep="last", maintain_order=True),
        on="ts",
        strategy=matching.direction.value,
        allow_exact_matches=matching.exact is ExactMatches.ALLOWED,
        tolerance=None if tolerance is None else f"{tolerance}ns",
    )
    places = expected["place"].to_list()
    if matching.direction is Direction.NEAREST:
        # Of two as near polars takes the one behind; this join and pandas the one before.
        assert gaps(left, right, places) == gaps(left, right, found)
    else:
        assert places == found


def gaps(left: pa.Table, right: pa.Table, places: list[int | None]) -> list[int | None]:
    """How far each left row is from the right row it was given."""
    taken = right.column("ts").take(pa.array(places, pa.int64())).cast(pa.int64())
    gap: list[int | None] = pc.abs(
        pc.subtract(taken, left.column("ts").cast(pa.int64()))
    ).to_pylist()
    return gap


def test_of_equal_instants_the_last_row_counts_as_in_polars_and_pandas() -> None:
    left, right = equities("trades"), equities("quotes").slice(0, 700_000)
    found = joined(left, right, Matching(), KEYS)
    lefts, rights = pl.from_arrow(numbered(left)), pl.from_arrow(numbered(right))
    assert isinstance(lefts, pl.DataFrame)
    assert isinstance(rights, pl.DataFrame)
    expected = lefts.select("ts", "venue").join_asof(
        rights, on="ts", by="venue", check_sortedness=False
    )
    assert expected["place"].to_list() == found
    merged = pd.merge_asof(
        lefts.select("ts", "venue").to_pandas(), rights.to_pandas(), on="ts", by="venue"
    )
    assert [None if pd.isna(place) else int(place) for place in merged["place"]] == found
