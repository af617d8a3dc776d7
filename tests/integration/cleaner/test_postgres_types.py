"""PostgreSQL holds and gives back every digit of what it can hold, and refuses the rest."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tickmesh.settings import SecretUrl
from tickmesh_cleaner.config import DatabaseConfig
from tickmesh_cleaner.databases.connections import Connections
from tickmesh_cleaner.databases.engine import (
    DatabaseRefusedError,
    DatabaseSession,
    TableName,
    UnheldTypeError,
    quoted,
)
from tickmesh_cleaner.databases.postgres import PostgresTypes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.postgres import PostgresCluster

pytestmark = pytest.mark.integration

TYPES = PostgresTypes()
INSTANT = pa.scalar(1_700_000_000_123_456_789, pa.timestamp("ns", "UTC"))
BEFORE_1970 = pa.scalar(-1, pa.timestamp("ns", "UTC"))

# Name, values, what PostgreSQL calls the column, what it gives back.
COLUMNS: list[tuple[str, pa.Array[Any], str, list[object]]] = [
    ("whole", pa.array([2**63 - 1, None]), "bigint", [2**63 - 1, None]),
    ("small", pa.array([255, None], pa.uint8()), "smallint", [255, None]),
    ("huge", pa.array([2**64 - 1, None], pa.uint64()), "numeric(20,0)",
     [Decimal(2**64 - 1), None]),
    ("price", pa.array([0.1, float("nan")]), "double precision", [0.1, "nan"]),
    ("exact", pa.array([Decimal("12345678901234567890.10"), None], pa.decimal128(30, 2)),
     "numeric(30,2)", [Decimal("12345678901234567890.10"), None]),
    ("venue", pa.array(["XNYS", None]).dictionary_encode(), "text", ["XNYS", None]),
    ("empty", pa.array(["", None]), "text", ["", None]),
    ("raw", pa.array([b"\0\xff", None]), "bytea", [b"\0\xff", None]),
    ("flag", pa.array([True, None]), "boolean", [True, None]),
    ("at", pa.array([INSTANT, BEFORE_1970]), "timestamp with time zone",
     [datetime(2023, 11, 14, 22, 13, 20, 123456, tzinfo=UTC),
      datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)]),
    ("at_below_us", pa.array([0, 0], pa.int16()), "smallint", [789, 999]),
    ("day", pa.array([date(2023, 1, 2), None]), "date", [date(2023, 1, 2), None]),
    ("clock", pa.array([3_723_000_004_005, None], pa.time64("ns")), "time without time zone",
     [time(1, 2, 3, 4), None]),
    ("clock_below_us", pa.array([0, 0], pa.int16()), "smallint", [5, None]),
    ("levels", pa.array([[1.5, None], None], pa.list_(pa.float64())), "double precision[]",
     [[1.5, None], None]),
]  # fmt: skip


@pytest.fixture
def session(postgres: PostgresCluster) -> Iterator[DatabaseSession]:
    url = SecretUrl(postgres.url("postgres"))
    opened = Connections({"sea": DatabaseConfig(url)}).database("sea").connect()
    yield opened
    opened.rollback()
    opened.close()


def test_every_digit_of_every_value_is_kept_and_read_back(session: DatabaseSession) -> None:
    given = {name: column for name, column, _, _ in COLUMNS if not name.endswith("_below_us")}
    rows = pa.RecordBatch.from_pydict(given)
    held = TYPES.columns(rows.schema)
    assert dict(held) == {name: kind for name, _, kind, _ in COLUMNS}
    made = ", ".join(f"{quoted(name)} {kind}" for name, kind in held.items())
    session.execute(f"CREATE TABLE kept ({made})")
    session.insert(TableName("kept"), TYPES.encode(rows))
    assert session.columns(TableName("kept")) == dict(held)
    tables = [pa.Table.from_batches([batch]) for batch in session.stream("SELECT * FROM kept")]
    found = pa.concat_tables(tables).to_pydict()
    assert str(found["price"].pop()) == "nan"
    expected = {name: list(values) for name, _, _, values in COLUMNS}
    expected["price"].pop()
    assert found == expected


@pytest.mark.parametrize(
    "kind", [pa.struct([pa.field("x", pa.int64())]), pa.duration("ns"), pa.list_(pa.date32())]
)
def test_a_type_it_cannot_hold_is_refused_by_name(kind: pa.DataType) -> None:
    with pytest.raises(UnheldTypeError) as caught:
        TYPES.columns(pa.schema([pa.field("x", kind)]))
    assert caught.value.column == "x"


def test_a_column_in_the_place_of_the_nanoseconds_is_refused() -> None:
    schema = pa.schema([pa.field("at", pa.timestamp("ns")), pa.field("at_below_us", pa.int64())])
    with pytest.raises(UnheldTypeError, match="twice"):
        TYPES.columns(schema)


def test_numbers_without_a_declared_precision_are_read_digit_by_digit(
    session: DatabaseSession,
) -> None:
    (_, *batches) = session.stream("SELECT 0.1000000000000000000000000000000000000001 AS x")
    assert batches[0].to_pydict() == {"x": ["0.1000000000000000000000000000000000000001"]}


def test_a_text_with_nul_is_refused_and_says_why(session: DatabaseSession) -> None:
    session.execute("CREATE TABLE kept (x text)")
    rows = TYPES.encode(pa.RecordBatch.from_pydict({"x": ["a\0b"]}))
    with pytest.raises(DatabaseRefusedError, match="0x00") as caught:
        session.insert(TableName("kept"), rows)
    assert caught.value.code == "22021"


def test_a_statement_that_takes_too_long_is_cut_off(postgres: PostgresCluster) -> None:
    config = DatabaseConfig(SecretUrl(postgres.url("postgres")), statement_timeout_seconds=2.0)
    session = Connections({"sea": config}).database("sea").connect()
    session.begin_reading()
    with pytest.raises(DatabaseRefusedError, match="statement timeout"):
        list(session.stream("SELECT pg_sleep(30)"))
    session.close()
