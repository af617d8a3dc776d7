"""T9 at the application: which version reads are read under, and generations."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from tests.support.governed_ticks import MemorySchemas, trades, trades_schema
from tests.unit.tickstore.service.test_application import SUBJECT, put, read, redeem
from tickmesh.api.tickstore.v1.commands_pb2 import ReadCommand
from tickmesh.api.tickstore.v1.expression_pb2 import COMPARISON_OPERATOR_EQUAL
from tickmesh_tickstore.administration_messages import dataset_message
from tickmesh_tickstore.commands import PutRequest
from tickmesh_tickstore.domain.errors import GenerationNotReadableError
from tickmesh_tickstore.errors import (
    InvalidRequestError,
    RegistryUnavailableError,
    VersionUnknownError,
)

if TYPE_CHECKING:
    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import TickStore

VENUE = {"type": "string", "default": "XNAS"}
WHOLE = ReadCommand(dataset=SUBJECT)


def under(version: int, *columns: str) -> ReadCommand:
    return ReadCommand(dataset=SUBJECT, reader_version=version, columns=columns)


def put_texts(store: TickStore, call: CallContext, rows: int) -> None:
    """Trades of a version whose prices are texts."""
    table = trades(rows)
    prices = pa.array([f"{row}.5" for row in range(rows)])
    put(store, call, table.set_column(2, "price", prices))


def test_t9_a_version_that_no_row_was_written_under_is_read_under(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    put(store, call, trades(2))
    schemas.register(SUBJECT, trades_schema(venue=VENUE), state="deprecated")
    schemas.register(SUBJECT, trades_schema(extra={"type": "integer"}))
    table = read(store, call, under(2))
    assert table.column("venue").to_pylist() == ["XNAS", "XNAS"]
    expected = schemas.get(SUBJECT, version=2).arrow_schema
    assert table.schema.equals(expected, check_metadata=True)
    assert store.plan_read(call, under(2)).schema.equals(expected, check_metadata=True)


def test_t9_what_is_in_force_is_read_under_without_asking_for_it(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    put(store, call, trades(2))
    assert "venue" not in store.schema(call, SUBJECT).names
    schemas.register(SUBJECT, trades_schema(venue=VENUE))
    assert read(store, call, WHOLE).column("venue").to_pylist() == ["XNAS", "XNAS"]
    assert store.schema(call, SUBJECT).names == read(store, call, WHOLE).schema.names


def test_t9_a_ticket_and_a_tail_keep_the_version_they_were_made_with(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    put(store, call, trades(2))
    plan = store.plan_read(call, WHOLE)
    tail = store.follow(call, ReadCommand(dataset=SUBJECT, follow=True))
    schemas.register(SUBJECT, trades_schema(venue=VENUE))
    rows = pa.concat_tables(redeem(store, call, ticket) for ticket in plan.tickets)
    assert rows.schema.equals(plan.schema, check_metadata=True)
    put(store, call, trades(1))
    found = 0
    while found < 3:
        followed = tail.wait(10)
        assert followed is not None
        assert followed.batch.schema.equals(plan.schema, check_metadata=True)
        found += followed.batch.num_rows
    tail.close()


def test_t9_filters_speak_of_the_readers_columns(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    put(store, call, trades(2))
    schemas.register(SUBJECT, trades_schema(venue=VENUE))
    put(store, call, trades(1).append_column("venue", pa.array(["ARCX"])))
    command = ReadCommand(dataset=SUBJECT)
    command.filter.comparison.column = "venue"
    command.filter.comparison.operator = COMPARISON_OPERATOR_EQUAL
    command.filter.comparison.value.text = "XNAS"
    assert read(store, call, command).num_rows == 2


def test_an_unknown_or_impossible_reader_version_is_refused(
    store: TickStore, call: CallContext
) -> None:
    put(store, call, trades(1))
    with pytest.raises(VersionUnknownError, match="no version 7"):
        store.plan_read(call, under(7))
    with pytest.raises(InvalidRequestError, match="reader_version"):
        store.plan_read(call, under(-1))


def test_with_the_registry_away_known_versions_go_on_and_unknown_ones_are_unavailable(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    put(store, call, trades(2))
    schemas.register(SUBJECT, trades_schema(venue=VENUE))
    put(store, call, trades(1))
    schemas.register(SUBJECT, trades_schema(extra={"type": "integer"}))
    schemas.away = True
    assert "venue" in read(store, call, WHOLE).column_names
    assert read(store, call, under(1)).num_rows == 3
    with pytest.raises(RegistryUnavailableError):
        store.plan_read(call, under(3))


def test_t9_generations_that_cannot_be_converted_are_refused_with_the_ways_out(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    put(store, call, trades(3))
    schemas.register(SUBJECT, trades_schema(price={"type": "boolean"}))
    put(store, call, trades(2).set_column(2, "price", pa.array([True, False])))
    with pytest.raises(GenerationNotReadableError) as refused:
        store.plan_read(call, WHOLE)
    error = refused.value
    assert error.metadata["generations"] == "1"
    assert error.metadata["rows"] == "3"
    assert "generation 1 (version 1, 3 rows)" in error.message
    assert "reader_version 1" in error.message
    assert "ts, symbol, size, note" in error.message
    assert read(store, call, under(0, "ts", "size")).num_rows == 5
    with pytest.raises(GenerationNotReadableError):
        store.plan_read(call, under(1))
    # Whoever reads whatever is listed is told, too.
    (view,) = store.datasets(call)
    offered = store.offer_read(call, view)
    with pytest.raises(GenerationNotReadableError):
        store.redeem(call, offered.tickets[0])


def test_t9_generations_that_can_be_converted_are_read_as_one(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    """A smaller maximum breaks, and every stored row still has its value."""
    put(store, call, trades(3))
    schemas.register(SUBJECT, trades_schema(size={"type": "integer", "maximum": 1}))
    put(store, call, trades(2))
    assert read(store, call, WHOLE).column("size").to_pylist() == [0, 1, 2, 0, 1]


def test_puts_under_an_older_version_go_to_its_generation_until_it_is_deprecated(
    store: TickStore, call: CallContext, schemas: MemorySchemas
) -> None:
    put(store, call, trades(3))
    schemas.register(SUBJECT, trades_schema(note=VENUE))
    schemas.register(SUBJECT, trades_schema(price={"type": "string"}))
    put_texts(store, call, 2)
    table = trades(4)
    session = store.open_put(call, PutRequest(dataset=SUBJECT, schema_version=2), table.schema)
    for batch in table.to_batches():
        session.add(batch, None)
    session.end()
    while not session.drained:
        session.wait(0.1)
    session.close()
    message = dataset_message(store.dataset(call, SUBJECT))
    assert [
        (each.number, list(each.schema_versions), each.row_count) for each in message.generations
    ] == [(1, [1, 2], 7), (2, [3], 2)]
    versions = schemas.by_subject[SUBJECT]
    versions[1] = replace(versions[1], state="deprecated")
    with pytest.raises(InvalidRequestError, match="deprecated"):
        store.open_put(call, PutRequest(dataset=SUBJECT, schema_version=2), table.schema)
