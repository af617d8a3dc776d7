"""Bars of four kinds, compared with a row-by-row reference and with what the types can hold."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.bar_oracle import Bar, Row, bars_row_by_row
from tests.unit.tickstore.queries.rows import NS, bars_of, ticks, times, where_symbol
from tickmesh.schema.field_metadata import metadata_of
from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.queries import bar_ends
from tickmesh_tickstore.queries.bars import BarKind, BarRequest, Bars, EmptyBars

COLUMNS = ["open", "high", "low", "close", "volume", "trades", "notional"]

steps = st.integers(0, 7)
names = st.sampled_from(["A", "B", "C", None])
prices = st.one_of(st.integers(-50, 200), st.none())
sizes = st.one_of(st.integers(0, 30), st.none())
rows_of_integers = st.lists(st.tuples(steps, names, prices, sizes), max_size=80)
kinds = st.sampled_from(list(BarKind))
cuts = st.lists(st.integers(0, 80), max_size=6)


def in_order(steps_and_rest: list[tuple[int, Any, Any, Any]]) -> list[Row]:
    now = -20
    rows: list[Row] = []
    for step, *rest in steps_and_rest:
        now += step
        rows.append((now, *rest))
    return rows


def cut(table: pa.Table, places: list[int]) -> list[pa.RecordBatch]:
    edges = sorted({0, table.num_rows, *(min(place, table.num_rows) for place in places)})
    parts = [table.slice(start, stop - start) for start, stop in itertools.pairwise(edges)]
    # Each part with a dictionary of its own, as messages have them.
    return [
        pa.Table.from_arrays(
            [
                column.cast(pa.string()).dictionary_encode().cast(column.type)
                if pa.types.is_dictionary(column.type)
                else column
                for column in part.columns
            ],
            schema=part.schema,
        )
        .combine_chunks()
        .to_batches()[0]
        for part in parts
    ]


def as_tuples(table: pa.Table) -> list[tuple[Any, ...]]:
    columns = [times(table), *(table.column(name).to_pylist() for name in ["symbol", *COLUMNS])]
    return sorted(zip(*columns, strict=True), key=repr)


def expected(bars: list[Bar]) -> list[tuple[Any, ...]]:
    found = [(bar.label, bar.symbol, *(getattr(bar, name) for name in COLUMNS)) for bar in bars]
    return sorted(found, key=repr)


@given(rows_of_integers, kinds, st.integers(1, 60), cuts)
def test_bars_of_integers_are_those_of_the_row_by_row_reference_however_rows_are_cut(
    drawn: list[Any], kind: BarKind, width: int, places: list[int]
) -> None:
    rows = in_order(drawn)
    table = ticks(rows, price=pa.int64())
    made = bars_of(table, batches=cut(table, places), kind=kind, width=width)
    integers = [
        tuple(int(value) if isinstance(value, Decimal) else value for value in each)
        for each in as_tuples(made)
    ]
    assert integers == expected(bars_row_by_row(rows, kind=kind.value, width=Fraction(width)))
    assert made.equals(bars_of(table, kind=kind, width=width))


@given(rows_of_integers, kinds, st.integers(1, 60), cuts, st.integers(1, 9))
def test_the_size_of_blocks_changes_nothing_about_exact_bars(
    drawn: list[Any], kind: BarKind, width: int, places: list[int], block_rows: int
) -> None:
    table = ticks(in_order(drawn), price=pa.int64())
    whole = bars_of(table, kind=kind, width=width)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("bars", "bar_ends"):
            patch.setattr(f"tickmesh_tickstore.queries.{module}.BLOCK_ROWS", block_rows)
        patch.setattr(bar_ends, "_LEAST_BLOCK_ROWS", 1)
        patch.setattr(bar_ends.TickRule, "block_rows", block_rows)
        pieces = bars_of(table, batches=cut(table, places), kind=kind, width=width)
    assert as_tuples(pieces) == as_tuples(whole)


hundredths = st.integers(1, 5_000).map(lambda number: number / 100)


@given(
    st.lists(st.tuples(steps, names, hundredths, hundredths), max_size=80),
    st.sampled_from([BarKind.VOLUME, BarKind.DOLLARS]),
    st.integers(1, 50_000),
)
def test_bars_of_doubles_end_where_the_decimal_numbers_they_stand_for_do(
    drawn: list[Any], kind: BarKind, width_in_hundredths: int
) -> None:
    rows = in_order(drawn)
    decimals: list[Row] = [
        (time, name, Decimal(repr(price)), Decimal(repr(size))) for time, name, price, size in rows
    ]
    made = bars_of(ticks(rows, size=pa.float64()), kind=kind, width=width_in_hundredths / 100)
    exact = bars_row_by_row(decimals, kind=kind.value, width=Fraction(width_in_hundredths, 100))
    shape = sorted(
        zip(times(made), made["symbol"].to_pylist(), made["trades"].to_pylist(), strict=True),
        key=repr,
    )
    assert shape == sorted(((bar.label, bar.symbol, bar.trades) for bar in exact), key=repr)


def test_ten_tenths_fill_a_bar_of_one() -> None:
    rows = [(each, "A", 5.0, 0.1) for each in range(20)]
    made = bars_of(ticks(rows, size=pa.float64()), kind=BarKind.VOLUME, width=1.0)
    assert made["trades"].to_pylist() == [10, 10]


def test_the_least_width_a_double_has_ends_a_bar_with_every_row_that_has_an_amount() -> None:
    rows = [(1, "A", 1.0, 0.0), (2, "A", 1.0, 1e-3), (3, "A", 1.0, 1e300)]
    made = bars_of(ticks(rows, size=pa.float64()), kind=BarKind.VOLUME, width=5e-324)
    assert made["trades"].to_pylist() == [2, 1]


def test_a_huge_amount_does_not_blur_the_small_ones_beside_it() -> None:
    amounts = [1e15, *[0.25] * 12]
    rows = [(each, "A", 1.0, amount) for each, amount in enumerate(amounts)]
    made = bars_of(ticks(rows, size=pa.float64()), kind=BarKind.VOLUME, width=1.0)
    assert made["trades"].to_pylist() == [1, 4, 4, 4]


def test_prices_of_one_instant_open_and_close_in_the_order_they_were_committed() -> None:
    made = bars_of(
        ticks([(5, "A", 3.0, 1), (5, "A", 9.0, 1), (5, "A", 1.0, 1)]), kind=BarKind.TIME, width=10
    )
    assert made.select(["open", "high", "low", "close"]).to_pylist() == [
        {"open": 3.0, "high": 9.0, "low": 1.0, "close": 1.0}
    ]


def test_rows_without_a_price_do_not_count_and_rows_without_a_size_count_as_nothing() -> None:
    rows = [
        (1, "A", math.nan, 7),
        (2, "A", None, 7),
        (3, "A", math.inf, 7),
        (4, "A", 2.0, None),
        (5, "A", 4.0, 10),
        (6, None, 1.0, 1),
    ]
    made = bars_of(ticks(rows), kind=BarKind.TIME, width=100)
    assert made.drop_columns(["ts"]).to_pylist() == [
        {
            "symbol": "A",
            "open": 2.0,
            "high": 4.0,
            "low": 2.0,
            "close": 4.0,
            "volume": 10,
            "vwap": 4.0,
            "trades": 2,
            "notional": 40.0,
        },
        {
            "symbol": None,
            "open": 1.0,
            "high": 1.0,
            "low": 1.0,
            "close": 1.0,
            "volume": 1,
            "vwap": 1.0,
            "trades": 1,
            "notional": 1.0,
        },
    ]


def test_a_bar_without_volume_has_no_vwap() -> None:
    made = bars_of(ticks([(1, "A", 2.0, 0)]), kind=BarKind.TIME, width=100)
    assert made["vwap"].to_pylist() == [None]


def test_time_bars_come_by_label_then_symbol_with_null_last() -> None:
    rows = [(1, "B", 1.0, 1), (2, None, 1.0, 1), (3, "A", 1.0, 1), (12, "B", 1.0, 1)]
    made = bars_of(ticks(rows), kind=BarKind.TIME, width=10)
    assert list(zip(times(made), made["symbol"].to_pylist(), strict=True)) == [
        (0, "A"),
        (0, "B"),
        (0, None),
        (10, "B"),
    ]


def test_bars_of_a_whole_dataset_without_symbols() -> None:
    table = ticks([(1, "A", 1.0, 1), (2, "B", 5.0, 2)]).drop_columns(["symbol"])
    made = bars_of(table, kind=BarKind.TIME, width=10)
    assert made.column_names[:2] == ["ts", "open"]
    assert (made["high"].to_pylist(), made["volume"].to_pylist()) == ([5.0], [3])


def test_without_a_size_column_there_is_no_volume_vwap_or_notional() -> None:
    table = ticks([(1, "A", 1.0, 1)]).drop_columns(["size"])
    made = bars_of(table, kind=BarKind.TICKS, width=1)
    assert made.column_names == ["ts", "symbol", "open", "high", "low", "close", "trades"]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_labels_have_the_event_times_own_type(unit: Any) -> None:
    scale = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}[unit]
    table = ticks(
        [(-scale, "A", 1.0, 1), (61 * scale, "A", 2.0, 1)], time=pa.timestamp(unit, "UTC")
    )
    made = bars_of(table, kind=BarKind.TIME, width=60_000_000_000)
    assert made.schema.field("ts").type == pa.timestamp(unit, "UTC")
    assert times(made) == [-60 * scale, 60 * scale]


# Exact numbers ------------------------------------------------------------------------------------


def test_decimals_stay_exact_beyond_any_double() -> None:
    kind = pa.decimal128(30, 10)
    price, size = Decimal("12345678901234567.0123456789"), Decimal("0.0000000001")
    rows = [(1, "A", price, size), (2, "A", price + size, size)]
    made = bars_of(ticks(rows, price=kind, size=kind), kind=BarKind.TIME, width=10)
    assert made.schema.field("high").type == kind
    (bar,) = made.to_pylist()
    assert (bar["open"], bar["high"]) == (price, price + size)
    assert bar["volume"] == 2 * size
    assert bar["notional"] == price * size + (price + size) * size


def test_decimals_of_76_digits() -> None:
    kind = pa.decimal256(60, 5)
    price = Decimal(10) ** 50 + Decimal("0.00001")
    made = bars_of(
        ticks([(1, "A", price, 3), (2, "A", -price, 3)], price=kind), kind=BarKind.TIME, width=10
    )
    (bar,) = made.to_pylist()
    assert (bar["high"], bar["low"], bar["notional"]) == (price, -price, 0)


def test_scaled_integers_become_the_decimals_they_stand_for() -> None:
    table = ticks([(1, "A", 475_000, 200), (2, "A", 475_001, 100)], price=pa.int64())
    field = table.schema.field("price")
    scaled = field.with_metadata({**metadata_of(field), b"tickmesh.scale": b"4"})
    table = table.cast(table.schema.set(2, scaled))
    (bar,) = bars_of(table, kind=BarKind.TIME, width=10).to_pylist()
    assert (bar["open"], bar["close"]) == (Decimal("47.5000"), Decimal("47.5001"))
    assert bar["notional"] == Decimal("14250.0100")
    assert bar["vwap"] == pytest.approx(14250.01 / 300)
    full = bars_of(table, kind=BarKind.DOLLARS, width=9_500.0)
    assert full["trades"].to_pylist() == [1, 1]


def test_sums_beyond_64_bits_never_wrap() -> None:
    price, size = 2**62, 2**40
    rows = [(each, "A", price, size) for each in range(5)]
    made = bars_of(ticks(rows, price=pa.int64()), kind=BarKind.TIME, width=10)
    assert made["notional"].to_pylist() == [5 * price * size]
    halves = bars_of(ticks(rows, price=pa.int64()), kind=BarKind.DOLLARS, width=2.0 * price * size)
    assert halves["trades"].to_pylist() == [2, 2, 1]


def test_amounts_count_without_their_signs_down_to_the_least_of_64_bits() -> None:
    rows = [(1, "A", -2, 3), (2, "A", 1, -(2**63)), (3, "A", 1, 6), (4, "A", 1, -6)]
    made = bars_of(ticks(rows, price=pa.int64()), kind=BarKind.VOLUME, width=12.0)
    assert made["trades"].to_pylist() == [2, 2]
    assert made["volume"].to_pylist() == [3 - 2**63, 0]


def test_the_greatest_unsigned_prices_are_kept() -> None:
    most = 2**64 - 1
    made = bars_of(
        ticks([(1, "A", most, 1), (2, "A", 1, 1)], price=pa.uint64()), kind=BarKind.TIME, width=10
    )
    assert (made["high"].to_pylist(), made["notional"].to_pylist()) == ([most], [most + 1])


def test_a_volume_that_outgrows_its_type_is_refused() -> None:
    rows = [(each, "A", 1.0, 2**62) for each in range(3)]
    with pytest.raises(domain.LimitExceededError, match="smaller range"):
        bars_of(ticks(rows), kind=BarKind.TIME, width=10)


# Empty bars ---------------------------------------------------------------------------------------

GAPPY = [
    (1, "A", 1.0, 1),
    (2, "B", 9.0, 1),
    (35, "A", 4.0, 2),
    (36, "B", 8.0, 1),
    (51, "A", 5.0, 1),
]


def test_empty_bars_are_omitted_by_default() -> None:
    made = bars_of(ticks(GAPPY), kind=BarKind.TIME, width=10)
    assert times(made) == [0, 0, 30, 30, 50]


def test_empty_bars_as_nulls_from_each_symbols_first_bar_to_its_last() -> None:
    made = bars_of(ticks(GAPPY), kind=BarKind.TIME, width=10, empty=EmptyBars.NULL)
    of_a = where_symbol(made, "A")
    assert times(of_a) == [0, 10, 20, 30, 40, 50]
    assert of_a["open"].to_pylist() == [1.0, None, None, 4.0, None, 5.0]
    assert of_a["trades"].to_pylist() == [1, 0, 0, 1, 0, 1]
    assert of_a["vwap"].to_pylist() == [1.0, None, None, 4.0, None, 5.0]
    assert times(where_symbol(made, "B")) == [0, 10, 20, 30]


def test_empty_bars_as_the_close_before() -> None:
    made = bars_of(ticks(GAPPY), kind=BarKind.TIME, width=10, empty=EmptyBars.PREVIOUS_CLOSE)
    of_b = where_symbol(made, "B")
    assert of_b.select(["open", "high", "low", "close", "volume", "trades"]).to_pylist()[1] == {
        "open": 9.0,
        "high": 9.0,
        "low": 9.0,
        "close": 9.0,
        "volume": 0,
        "trades": 0,
    }
    assert of_b["close"].to_pylist() == [9.0, 9.0, 9.0, 8.0]


@given(rows_of_integers, st.integers(1, 9), cuts)
def test_filled_bars_do_not_depend_on_how_rows_are_cut(
    drawn: list[Any], width: int, places: list[int]
) -> None:
    table = ticks(in_order(drawn), price=pa.int64())
    for empty in (EmptyBars.NULL, EmptyBars.PREVIOUS_CLOSE):
        request: dict[str, Any] = {"kind": BarKind.TIME, "width": width, "empty": empty}
        made = bars_of(table, batches=cut(table, places), **request)
        assert made.equals(bars_of(table, **request))
        kept = made.filter(pc.field("trades") > 0)
        assert as_tuples(kept) == as_tuples(bars_of(table, kind=BarKind.TIME, width=width))


def test_t11_more_empty_bars_than_allowed_are_refused_before_they_are_made() -> None:
    rows = [(0, "A", 1.0, 1), (10**18, "A", 1.0, 1)]
    with pytest.raises(domain.LimitExceededError, match="wider"):
        bars_of(ticks(rows), kind=BarKind.TIME, width=1, empty=EmptyBars.NULL, filled_rows=1_000)


# Refused ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(BarKind))
@pytest.mark.parametrize("width", [0, -1, math.nan, math.inf])
def test_widths_that_are_none_are_refused(kind: BarKind, width: float) -> None:
    with pytest.raises(domain.InvalidArgumentError, match="above 0"):
        Bars(ticks([]).schema, BarRequest(kind=kind, width=width))


def test_a_width_finer_than_the_event_time_is_refused() -> None:
    table = ticks([], time=pa.timestamp("ms", "UTC"))
    with pytest.raises(domain.InvalidArgumentError, match="multiple"):
        Bars(table.schema, BarRequest(kind=BarKind.TIME, width=1_500_000))


def test_only_time_bars_can_be_empty() -> None:
    with pytest.raises(domain.InvalidArgumentError, match="only time bars"):
        Bars(ticks([]).schema, BarRequest(kind=BarKind.TICKS, width=1, empty=EmptyBars.NULL))


def test_missing_roles_name_the_keyword_or_are_replaced_by_a_name() -> None:
    plain = ticks([(1, "A", 2.0, 3)])
    fields = [field.remove_metadata() for field in plain.schema]
    nothing = pa.schema(fields)
    with pytest.raises(domain.NoEventTimeError, match="x-tick-role"):
        Bars(nothing, BarRequest(kind=BarKind.TIME, width=1))
    timed = nothing.set(0, plain.schema.field("ts"))
    with pytest.raises(domain.NoPriceError, match="x-tick-role"):
        Bars(timed, BarRequest(kind=BarKind.TIME, width=1))
    with pytest.raises(domain.NoSizeError, match="x-tick-role"):
        Bars(timed, BarRequest(kind=BarKind.VOLUME, width=1, price="price"))
    with pytest.raises(domain.InvalidArgumentError, match="no column 'bid'"):
        Bars(timed, BarRequest(kind=BarKind.TIME, width=1, price="bid"))
    with pytest.raises(domain.InvalidArgumentError, match="expected integers"):
        Bars(timed, BarRequest(kind=BarKind.TIME, width=1, price="symbol"))
    made = bars_of(plain.cast(timed), kind=BarKind.DOLLARS, width=6.0, price="price", size="size")
    assert made["notional"].to_pylist() == [6.0]


def test_a_column_that_bars_name_otherwise_is_refused() -> None:
    table = ticks([]).rename_columns(["open", "symbol", "price", "size"])
    with pytest.raises(domain.InvalidArgumentError, match="open"):
        Bars(table.schema, BarRequest(kind=BarKind.TIME, width=1))


def test_rows_out_of_order_are_never_taken_for_bars() -> None:
    with pytest.raises(ValueError, match="in order"):
        bars_of(ticks([(5, "A", 1.0, 1), (4, "A", 1.0, 1)]), kind=BarKind.TICKS, width=5)


def test_no_rows_give_no_bars_of_the_right_columns() -> None:
    made = bars_of(ticks([]), kind=BarKind.TIME, width=10)
    assert made.num_rows == 0
    assert made.schema.field("ts").type == NS
