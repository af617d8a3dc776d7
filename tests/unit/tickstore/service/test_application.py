"""Datasets, reads and positions, without a transport."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.governed_ticks import MemorySchemas, decoded, trades, trades_schema
from tickmesh.api.tickstore.v1.commands_pb2 import READ_ORDER_TIME, ReadCommand
from tickmesh_serving.principal import Principal
from tickmesh_tickstore.commands import PutRequest
from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.engine import RowStream
from tickmesh_tickstore.errors import (
    InvalidRequestError,
    SubjectUnknownError,
    TicketInvalidError,
    TokenInvalidError,
)

if TYPE_CHECKING:
    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import TickStore

SUBJECT = "ticks.trades"


def put(store: TickStore, call: CallContext, table: pa.Table, *, dataset: str = SUBJECT) -> None:
    session = store.open_put(call, PutRequest(dataset=dataset), table.schema)
    for batch in table.to_batches():
        session.add(batch, None)
    session.end()
    while not session.drained:
        session.wait(0.1)
    session.close()


def read(store: TickStore, call: CallContext, command: ReadCommand) -> pa.Table:
    plan = store.plan_read(call, command)
    parts = [redeem(store, call, ticket) for ticket in plan.tickets]
    return pa.concat_tables(parts) if parts else plan.schema.empty_table()


def redeem(store: TickStore, call: CallContext, ticket: bytes) -> pa.Table:
    rows = store.redeem(call, ticket)
    assert isinstance(rows, RowStream)
    return rows.read_all()


def test_rows_come_back_equal_and_in_order(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(100))
    assert decoded(read(store, call, ReadCommand(dataset=SUBJECT))).equals(decoded(trades(100)))


def test_a_range_is_half_open(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(10))
    rows = read(store, call, ReadCommand(dataset=SUBJECT, start_ns=2_000, end_ns=5_000))
    assert rows.column("ts").cast(pa.int64()).to_pylist() == [2_000, 3_000, 4_000]


def test_time_order_symbols_columns_and_limit(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(5, start_ns=9_000))
    put(store, call, trades(5))
    command = ReadCommand(
        dataset=SUBJECT, order=READ_ORDER_TIME, symbols=["IBM"], columns=["size", "ts"], limit=2
    )
    rows = read(store, call, command)
    assert rows.column_names == ["size", "ts"]
    assert rows.column("ts").cast(pa.int64()).to_pylist() == [1_000, 4_000]


def test_a_plan_is_pinned_to_its_snapshot(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(3))
    plan = store.plan_read(call, ReadCommand(dataset=SUBJECT))
    put(store, call, trades(4))
    (ticket,) = plan.tickets
    assert redeem(store, call, ticket).num_rows == plan.rows == 3
    as_of = ReadCommand(dataset=SUBJECT, as_of_revision=plan.dataset_revision)
    assert read(store, call, as_of).num_rows == 3


def test_a_ticket_serves_only_the_principal_it_was_made_for(
    store: TickStore, call: CallContext
) -> None:
    put(store, call, trades(3))
    (ticket,) = store.plan_read(call, ReadCommand(dataset=SUBJECT)).tickets
    other = replace(call, principal=Principal(name="mallory"))
    with pytest.raises(TicketInvalidError, match="another principal"):
        store.redeem(other, ticket)


def test_reading_what_is_not_there_is_told(store: TickStore, call: CallContext) -> None:
    with pytest.raises(domain.DatasetNotFoundError):
        store.plan_read(call, ReadCommand(dataset=SUBJECT))


def test_a_revision_of_the_future_is_refused(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(3))
    with pytest.raises(domain.FutureRevisionError):
        store.plan_read(call, ReadCommand(dataset=SUBJECT, as_of_revision=999))


def test_stamps_are_columns_only_when_asked_for(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(3))
    assert "_schema_version" not in read(store, call, ReadCommand(dataset=SUBJECT)).column_names
    stamped = read(store, call, ReadCommand(dataset=SUBJECT, stamps=True))
    assert stamped.column("_schema_version").to_pylist() == [1, 1, 1]
    assert len(set(stamped.column("_dataset_revision").to_pylist())) == 1


def test_a_dataset_is_created_once_and_keeps_its_time_zone(
    store: TickStore, call: CallContext
) -> None:
    made = store.create_dataset(call, SUBJECT, naive_time_zone="America/New_York")
    again = store.create_dataset(call, SUBJECT, naive_time_zone="America/New_York")
    assert made.settings == again.settings
    assert made.settings.created_at_ns > 0
    with pytest.raises(InvalidRequestError, match="exists with another naive_time_zone"):
        store.create_dataset(call, SUBJECT, naive_time_zone="UTC")
    naive = trades(1).set_column(0, "ts", pa.array([0], pa.timestamp("us")))
    put(store, call, naive)
    (hour,) = read(store, call, ReadCommand(dataset=SUBJECT)).column("ts").cast(pa.int64())
    assert hour.as_py() == 5 * 3_600_000_000_000


def test_a_dataset_needs_a_registered_subject(store: TickStore, call: CallContext) -> None:
    with pytest.raises(SubjectUnknownError):
        store.create_dataset(call, "ticks.unknown")


def test_a_time_zone_must_exist(store: TickStore, call: CallContext) -> None:
    with pytest.raises(InvalidRequestError, match="IANA"):
        store.create_dataset(call, SUBJECT, naive_time_zone="Mars/Olympus")


def test_the_schema_of_a_subject_is_known_before_its_first_row(
    store: TickStore, call: CallContext
) -> None:
    assert store.schema(call, SUBJECT).names == ["ts", "symbol", "price", "size", "note"]


def test_a_tail_goes_on_behind_its_token(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(3))
    command = ReadCommand(dataset=SUBJECT, follow=True)
    follower = store.follow(call, command)
    followed = follower.wait(5.0)
    assert followed is not None
    token = store.position_token(SUBJECT, followed.position)
    follower.close()
    put(store, call, trades(2))
    resumed = store.follow(call, ReadCommand(dataset=SUBJECT, follow=True, resume_token=token))
    more = resumed.wait(5.0)
    resumed.close()
    assert (followed.batch.num_rows, more.batch.num_rows if more else 0) == (3, 2)


@pytest.mark.parametrize("token", ["nonsense", "other-dataset:1.0", "1.0"])
def test_a_token_of_another_dataset_is_refused(
    store: TickStore, call: CallContext, token: str
) -> None:
    put(store, call, trades(1))
    with pytest.raises(TokenInvalidError):
        store.follow(call, ReadCommand(dataset=SUBJECT, follow=True, resume_token=token))


def test_a_tail_refuses_what_it_cannot_give(store: TickStore, call: CallContext) -> None:
    put(store, call, trades(1))
    with pytest.raises(InvalidRequestError, match="limit"):
        store.follow(call, ReadCommand(dataset=SUBJECT, follow=True, limit=5))


def test_an_older_reader_version_gets_its_own_columns(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    put(store, call, trades(2))
    schemas.register(SUBJECT, trades_schema(venue={"type": "string"}))
    put(store, call, trades(2))
    assert "venue" in read(store, call, ReadCommand(dataset=SUBJECT)).column_names
    older = read(store, call, ReadCommand(dataset=SUBJECT, reader_version=1))
    assert older.num_rows == 4
    assert "venue" not in older.column_names
