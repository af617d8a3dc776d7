"""The as-of join as clients ask for it: columns, names, ranges, roles, refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.governed_ticks import MemorySchemas, trades, trades_schema
from tests.unit.tickstore.service.test_application import SUBJECT, put
from tests.unit.tickstore.service.test_queries import ask, run
from tickmesh.api.tickstore.v1 import queries_pb2 as wire
from tickmesh.api.tickstore.v1.commands_pb2 import ReadCommand
from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.errors import InvalidRequestError

if TYPE_CHECKING:
    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import TickStore

QUOTES = "ticks.quotes"


def rows_at(times: list[int], symbols: list[str], *, first: int = 0) -> pa.Table:
    """Trades at some instants, numbered in `size`."""
    table = trades(len(times))
    at = pa.array(times, pa.int64()).cast(pa.timestamp("ns", "UTC"))
    size = pa.array(range(first, first + len(times)))
    table = table.set_column(0, "ts", at).set_column(3, "size", size)
    return table.set_column(1, "symbol", pa.array(symbols).dictionary_encode())


@pytest.fixture(autouse=True)
def datasets(store: TickStore, call: CallContext, schemas: MemorySchemas) -> None:
    schemas.register(QUOTES, trades_schema())
    put(store, call, rows_at([30, 10, 20, 20], ["IBM", "IBM", "AAPL", "MSFT"]))
    put(store, call, rows_at([5, 20, 20], ["IBM", "AAPL", "AAPL"], first=10), dataset=QUOTES)
    put(store, call, rows_at([12, 25, 9], ["IBM", "MSFT", "AAPL"], first=20), dataset=QUOTES)


def command(
    *, left: ReadCommand | None = None, right: ReadCommand | None = None, **more: object
) -> wire.AsOfJoinCommand:
    return wire.AsOfJoinCommand(
        left=left or ReadCommand(dataset=SUBJECT, columns=["symbol", "size"]),
        right=right or ReadCommand(dataset=QUOTES, columns=["size"]),
        **more,  # type: ignore[arg-type]  # by name
    )


def test_left_rows_in_time_order_with_the_right_row_in_force(
    store: TickStore, call: CallContext
) -> None:
    assert ask(store, call, command()).to_pylist() == [
        {"symbol": "IBM", "size": 1, "size_right": 10},
        # Of two rows of one instant the one committed last; exact matches count.
        {"symbol": "AAPL", "size": 2, "size_right": 12},
        {"symbol": "MSFT", "size": 3, "size_right": None},
        {"symbol": "IBM", "size": 0, "size_right": 20},
    ]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"direction": wire.AS_OF_DIRECTION_FORWARD}, [20, 12, 21, None]),
        ({"direction": wire.AS_OF_DIRECTION_NEAREST}, [20, 12, 21, 20]),
        ({"exact_matches": wire.AS_OF_EXACT_MATCHES_EXCLUDED}, [10, 22, None, 20]),
        ({"tolerance_ns": 5}, [10, 12, None, None]),
        ({"tolerance_ns": 0}, [None, 12, None, None]),
        ({"grouping": wire.AS_OF_GROUPING_NONE}, [22, 12, 12, 21]),
        ({"right": ReadCommand(dataset=QUOTES, as_of_revision=1, columns=["size"])},
         [10, 12, None, 10]),
        ({"right": ReadCommand(dataset=QUOTES, start_ns=10, columns=["size"])},
         [None, 12, None, 20]),
        ({"right": ReadCommand(dataset=QUOTES, symbols=["IBM"], columns=["size"])},
         [10, None, None, 20]),
    ],
)  # fmt: skip
def test_what_matches_can_be_chosen(
    store: TickStore, call: CallContext, more: dict[str, object], expected: list[int | None]
) -> None:
    rows = ask(store, call, command(**more))  # type: ignore[arg-type]  # by name
    assert rows.column("size_right").to_pylist() == expected


def test_a_chosen_range_of_the_left_never_takes_matches_away(
    store: TickStore, call: CallContext
) -> None:
    for direction, expected in (
        (wire.AS_OF_DIRECTION_BACKWARD, [12, None]),
        (wire.AS_OF_DIRECTION_FORWARD, [12, 21]),
        (wire.AS_OF_DIRECTION_NEAREST, [12, 21]),
    ):
        for tolerance_ns in (None, 10):
            left = ReadCommand(dataset=SUBJECT, columns=["size"], start_ns=20, end_ns=21)
            query = command(left=left, direction=direction, tolerance_ns=tolerance_ns)
            assert ask(store, call, query).column("size_right").to_pylist() == expected


def test_all_columns_but_the_keys_and_the_event_time_on_request(
    store: TickStore, call: CallContext
) -> None:
    both = {"left": ReadCommand(dataset=SUBJECT), "right": ReadCommand(dataset=QUOTES)}
    names = ["ts", "symbol", "price", "size", "note"]
    plain = ask(store, call, command(**both))
    assert plain.column_names == [*names, "price_right", "size_right", "note_right"]
    told = ask(store, call, command(**both, right_event_time=True, right_suffix="_q"))
    assert told.column_names == [*names, "price_q", "size_q", "note_q", "ts_q"]
    assert told.column("ts_q").cast(pa.int64()).to_pylist() == [5, 20, None, 12]
    # Every right column may be null, and only the left's event time is one.
    assert all(told.schema.field(name).nullable for name in told.column_names[5:])
    roles = [(field.metadata or {}).get(b"tickmesh.role") for field in told.schema]
    assert roles.count(b"event_time") == roles.count(b"symbol") == 1
    ungrouped = ask(store, call, command(**both, grouping=wire.AS_OF_GROUPING_NONE))
    assert "symbol_right" in ungrouped.column_names


def test_stamps_of_both_sides(store: TickStore, call: CallContext) -> None:
    left = ReadCommand(dataset=SUBJECT, columns=["size"], stamps=True)
    right = ReadCommand(dataset=QUOTES, columns=["size"], stamps=True)
    rows = ask(store, call, command(left=left, right=right))
    assert rows.column("_dataset_revision").to_pylist() == [1, 1, 1, 1]
    assert rows.column("_dataset_revision_right").to_pylist() == [1, 1, None, 2]


def test_a_dataset_joined_with_itself_and_an_empty_right(
    store: TickStore, call: CallContext
) -> None:
    itself = ReadCommand(dataset=SUBJECT, columns=["size"])
    rows = ask(store, call, command(left=itself, right=itself))
    assert rows.column("size").to_pylist() == rows.column("size_right").to_pylist()
    empty = ReadCommand(dataset=QUOTES, columns=["size"], start_ns=1_000)
    assert ask(store, call, command(right=empty)).column("size_right").to_pylist() == [None] * 4
    nothing = ReadCommand(dataset=SUBJECT, columns=["size"], start_ns=1_000)
    assert ask(store, call, command(left=nothing)).num_rows == 0


def test_t7_both_sides_are_pinned(store: TickStore, call: CallContext) -> None:
    (ticket,) = store.plan_query(call, command()).tickets
    put(store, call, rows_at([20], ["MSFT"], first=99), dataset=QUOTES)
    put(store, call, rows_at([21], ["MSFT"], first=98))
    assert run(store, call, ticket).column("size_right").to_pylist() == [10, 12, None, 20]
    now = ask(store, call, command())
    assert now.column("size_right").to_pylist() == [10, 12, 99, 99, 20]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"direction": 9}, "direction"),
        ({"exact_matches": 9}, "exact_matches"),
        ({"tolerance_ns": -1}, "tolerance_ns"),
        ({"grouping": 9}, "grouping"),
        ({"right_suffix": "x" * 65}, "right_suffix"),
        ({"right": ReadCommand(dataset=QUOTES, limit=1)}, "right.limit"),
        ({"left": ReadCommand()}, "left.dataset"),
    ],
)
def test_a_choice_that_is_none_is_refused_by_name(
    store: TickStore, call: CallContext, more: dict[str, object], field: str
) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        store.plan_query(call, command(**more))  # type: ignore[arg-type]  # by name
    assert field in [name for name, _ in refused.value.violations]


def test_names_that_would_stand_twice_are_refused(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    schemas.register("odd", trades_schema(size_right={"type": "integer"}))
    odd = trades(1).append_column("size_right", pa.array([1]))
    put(store, call, odd, dataset="odd")
    with pytest.raises(InvalidRequestError, match="size_right"):
        store.plan_query(call, command(left=ReadCommand(dataset="odd")))


def test_a_side_without_the_role_names_the_keyword(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    text = trades_schema().replace("x-tick-role", "x-other")
    schemas.register("timeless", text.replace('"ts"', '"moment"'))
    rows = trades(1)
    put(store, call, rows.rename_columns(["moment", *rows.column_names[1:]]), dataset="timeless")
    with pytest.raises(domain.NoEventTimeError, match="timeless"):
        store.plan_query(call, command(right=ReadCommand(dataset="timeless")))


def test_t11_the_right_side_is_bounded(
    store: TickStore, call: CallContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store.engine, "_limits", EngineLimits(materialised_rows=5))
    with pytest.raises(domain.LimitExceededError, match="smaller range"):
        ask(store, call, command())
    within = ReadCommand(dataset=QUOTES, columns=["size"], symbols=["IBM", "AAPL"])
    assert ask(store, call, command(right=within)).num_rows == 4
