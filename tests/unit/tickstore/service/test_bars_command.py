"""BarsCommand: what it may ask, and that its bars are those of the snapshot it was planned for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.support.governed_ticks import MemorySchemas, trades, trades_schema
from tests.unit.tickstore.service.test_application import SUBJECT, put
from tests.unit.tickstore.service.test_queries import ask, run
from tickmesh.api.tickstore.v1 import queries_pb2
from tickmesh.api.tickstore.v1.commands_pb2 import ReadCommand
from tickmesh.api.tickstore.v1.queries_pb2 import BarsCommand, TradingSession
from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.errors import InvalidRequestError

if TYPE_CHECKING:
    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import TickStore

HOUR = 3_600_000_000_000


def bars(read: dict[str, Any] | None = None, **more: Any) -> BarsCommand:
    return BarsCommand(read=ReadCommand(dataset=SUBJECT, **(read or {})), **more)


def test_time_bars_by_symbol(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(9, step_ns=1_000))
    made = ask(store, call, bars(time_ns=6_000))
    assert made.select(["symbol", "open", "close", "volume", "trades"]).to_pylist() == [
        {"symbol": "AAPL", "open": 1.0, "close": 4.0, "volume": 3, "trades": 2},
        {"symbol": "IBM", "open": 2.0, "close": 5.0, "volume": 5, "trades": 2},
        {"symbol": "MSFT", "open": 3.0, "close": 6.0, "volume": 7, "trades": 2},
        {"symbol": "AAPL", "open": 7.0, "close": 7.0, "volume": 6, "trades": 1},
        {"symbol": "IBM", "open": 8.0, "close": 8.0, "volume": 7, "trades": 1},
        {"symbol": "MSFT", "open": 9.0, "close": 9.0, "volume": 8, "trades": 1},
    ]


def test_late_rows_take_their_place_by_event_time(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(3, start_ns=5_000))
    put(store, call, trades(3, start_ns=0))
    made = ask(store, call, bars(time_ns=100_000))
    assert made["open"].to_pylist() == made["close"].to_pylist() == [1.0, 2.0, 3.0]
    put(store, call, trades(1, start_ns=1).set_column(2, "price", pa.array([50.0])))
    made = ask(store, call, bars({"symbols": ["AAPL"]}, time_ns=100_000))
    assert made.select(["open", "high", "close"]).to_pylist() == [
        {"open": 1.0, "high": 50.0, "close": 1.0}
    ]


def test_t7_bars_are_those_of_the_snapshot_they_were_planned_for(
    store: TickStore, call: CallContext
) -> None:
    put(store, call, trades(3))
    plan = store.plan_query(call, bars(ticks=1))
    put(store, call, trades(3, start_ns=10_000))
    (ticket,) = plan.tickets
    assert run(store, call, ticket).num_rows == 3
    assert ask(store, call, bars({"as_of_revision": 1}, ticks=1)).num_rows == 3
    assert ask(store, call, bars(ticks=1)).num_rows == 6


def test_range_symbols_and_other_columns(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(100))
    read = {"start_ns": 10_000, "end_ns": 20_000, "symbols": ["IBM"]}
    made = ask(store, call, bars(read, time_ns=HOUR, price_column="size", size_column="price"))
    assert made.select(["open", "close", "trades"]).to_pylist() == [
        {"open": 10, "close": 19, "trades": 4}
    ]


@pytest.mark.parametrize("width", [{"volume": 7.0}, {"dollars": 30.0}, {"ticks": 3}])
def test_other_widths(store: TickStore, call: CallContext, width: dict[str, Any]) -> None:
    put(store, call, trades(13))
    made = ask(store, call, bars({"symbols": ["AAPL"]}, **width))
    # AAPL's rows have the sizes 0, 3, 6, 9, 12 and prices one above.
    counts = [3, 2] if "ticks" in width else [3, 1, 1]
    assert made["trades"].to_pylist() == counts


def test_sessions_and_empty_bars(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(6, start_ns=9 * HOUR, step_ns=HOUR))  # from 09:00 to 14:00
    session = TradingSession(
        time_zone="UTC", open_ns=9 * HOUR + HOUR // 2, close_ns=14 * HOUR, weekdays=[4]
    )
    made = ask(
        store,
        call,
        bars(
            {"symbols": ["AAPL", "IBM"]},
            time_ns=HOUR,
            session=session,
            empty_bars=queries_pb2.EMPTY_BARS_PREVIOUS_CLOSE,
        ),
    )
    labels: list[Any] = made["ts"].cast(pa.int64()).to_pylist()
    found = zip(made["symbol"].to_pylist(), labels, made["trades"].to_pylist(), strict=True)
    assert sorted((name, label / HOUR, count) for name, label, count in found) == [
        ("AAPL", 11.5, 1),
        ("IBM", 9.5, 1),
        ("IBM", 10.5, 0),
        ("IBM", 11.5, 0),
        ("IBM", 12.5, 1),
    ]


def test_a_bar_without_a_width_is_refused(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(1))
    with pytest.raises(InvalidRequestError) as refused:
        store.plan_query(call, bars())
    assert [field for field, _ in refused.value.violations] == ["width"]


@pytest.mark.parametrize("width", [{"time_ns": 0}, {"ticks": -1}, {"volume": 0.0}])
def test_a_width_that_is_none_is_refused(
    store: TickStore, call: CallContext, width: dict[str, Any]
) -> None:
    put(store, call, trades(1))
    with pytest.raises(domain.InvalidArgumentError, match="above 0"):
        store.plan_query(call, bars(**width))


@pytest.mark.parametrize("read", [{"columns": ["price"]}, {"stamps": True}])
def test_columns_of_bars_are_not_chosen(
    store: TickStore, call: CallContext, read: dict[str, Any]
) -> None:
    put(store, call, trades(1))
    with pytest.raises(InvalidRequestError, match="price_column"):
        store.plan_query(call, bars(read, ticks=1))


def test_missing_roles_name_the_keyword(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    text = trades_schema().replace('"price"', '"paid"').replace('"size"', '"amount"')
    schemas.register("plain", text)
    rows = trades(3).rename_columns(["ts", "symbol", "paid", "amount", "note"])
    put(store, call, rows, dataset="plain")
    read = ReadCommand(dataset="plain")
    with pytest.raises(domain.NoPriceError, match='"x-tick-role": "price"'):
        store.plan_query(call, BarsCommand(read=read, ticks=1))
    with pytest.raises(domain.NoSizeError, match='"x-tick-role": "size"'):
        store.plan_query(call, BarsCommand(read=read, volume=1.0, price_column="paid"))
    made = ask(store, call, BarsCommand(read=read, ticks=1, price_column="paid"))
    assert made.column_names == ["ts", "symbol", "open", "high", "low", "close", "trades"]
