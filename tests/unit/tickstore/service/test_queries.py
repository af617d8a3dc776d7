"""Queries are planned once and run on the very snapshots they were planned for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.governed_ticks import MemorySchemas, trades, trades_schema
from tests.unit.tickstore.service.test_application import SUBJECT, put
from tickmesh.api.tickstore.v1.commands_pb2 import READ_ORDER_TIME, ReadCommand
from tickmesh.api.tickstore.v1.queries_pb2 import AsOfJoinCommand, LatestCommand
from tickmesh_serving.principal import Principal
from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.engine.row_stream import RowStream
from tickmesh_tickstore.errors import InvalidRequestError, TicketInvalidError

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import TickStore


def run(store: TickStore, call: CallContext, ticket: bytes) -> pa.Table:
    answer = store.redeem(call, ticket)
    assert isinstance(answer, RowStream)
    return answer.read_all()


def ask(store: TickStore, call: CallContext, query: Message) -> pa.Table:
    plan = store.plan_query(call, query)
    (ticket,) = plan.tickets
    rows = run(store, call, ticket)
    assert rows.schema.equals(plan.schema, check_metadata=True)
    return rows


def latest(**read: object) -> LatestCommand:
    return LatestCommand(read=ReadCommand(dataset=SUBJECT, **read))  # type: ignore[arg-type]  # by name


def test_the_latest_row_of_each_symbol(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(10))
    rows = ask(store, call, latest(columns=["symbol", "size"]))
    assert rows.to_pylist() == [
        {"symbol": "AAPL", "size": 9},
        {"symbol": "IBM", "size": 7},
        {"symbol": "MSFT", "size": 8},
    ]


def test_t7_a_query_answers_the_snapshot_it_was_planned_for(
    store: TickStore, call: CallContext
) -> None:
    put(store, call, trades(3))
    plan = store.plan_query(call, latest(columns=["size"]))
    put(store, call, trades(6, start_ns=10_000))
    (ticket,) = plan.tickets
    assert run(store, call, ticket).column("size").to_pylist() == [0, 1, 2]
    assert ask(store, call, latest(columns=["size"])).column("size").to_pylist() == [3, 4, 5]
    pinned = ask(store, call, latest(columns=["size"], as_of_revision=1))
    assert pinned.column("size").to_pylist() == [0, 1, 2]


def test_t7_a_query_planned_on_an_empty_dataset_stays_empty(
    store: TickStore, call: CallContext
) -> None:
    store.create_dataset(call, SUBJECT)
    (ticket,) = store.plan_query(call, latest()).tickets
    put(store, call, trades(6))
    assert run(store, call, ticket).num_rows == 0


def test_a_ticket_of_a_query_is_good_for_its_principal_alone(
    store: TickStore, call: CallContext
) -> None:
    put(store, call, trades(3))
    (ticket,) = store.plan_query(call, latest()).tickets
    with pytest.raises(TicketInvalidError):
        store.redeem(replace(call, principal=Principal("somebody")), ticket)
    with pytest.raises(TicketInvalidError):
        store.redeem(call, ticket[:-30] + bytes(30))


@pytest.mark.parametrize(
    ("read", "field"),
    [
        ({"follow": True}, "read.follow"),
        ({"limit": 3}, "read.limit"),
        ({"resume_token": "1.0"}, "read.resume_token"),
        ({"order": READ_ORDER_TIME}, "read.order"),
    ],
)
def test_what_only_a_read_by_itself_can_give_is_refused_by_name(
    store: TickStore, call: CallContext, read: dict[str, object], field: str
) -> None:
    put(store, call, trades(3))
    with pytest.raises(InvalidRequestError) as refused:
        store.plan_query(call, latest(**read))
    assert [name for name, _ in refused.value.violations] == [field]


def test_a_dataset_without_the_role_names_the_keyword(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    text = trades_schema().replace("x-tick-role", "x-other").replace('"ts"', '"moment"')
    schemas.register("plain", text)
    rows = trades(3)
    put(store, call, rows.rename_columns(["moment", *rows.column_names[1:]]), dataset="plain")
    with pytest.raises(domain.NoEventTimeError, match="x-tick-role") as refused:
        store.plan_query(call, LatestCommand(read=ReadCommand(dataset="plain")))
    assert refused.value.metadata == {"dataset": "plain", "role": "event_time"}


def test_t9_a_query_runs_under_the_version_it_was_planned_for(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    put(store, call, trades(3))
    side = ReadCommand(dataset=SUBJECT)
    plans = [
        store.plan_query(call, LatestCommand(read=side)),
        # One dataset read twice: both reads keep the version.
        store.plan_query(call, AsOfJoinCommand(left=side, right=side)),
    ]
    schemas.register(SUBJECT, trades_schema(venue={"type": "string", "default": "XNAS"}))
    for plan in plans:
        rows = run(store, call, plan.tickets[0])
        assert rows.schema.equals(plan.schema, check_metadata=True)
        assert rows.num_rows == 3
    assert "venue" in ask(store, call, LatestCommand(read=side)).column_names


def test_t9_columns_nobody_asked_for_need_not_be_readable(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    put(store, call, trades(3))
    schemas.register(SUBJECT, trades_schema(price={"type": "boolean"}))
    put(store, call, trades(2).set_column(2, "price", pa.array([True, False])))
    rows = ask(store, call, latest(columns=["symbol", "size"]))
    assert rows.num_rows == 3
    with pytest.raises(domain.GenerationNotReadableError):
        store.plan_query(call, latest())
