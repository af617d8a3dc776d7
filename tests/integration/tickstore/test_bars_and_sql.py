"""Bars and SQL through plain pyarrow: plan with get_flight_info, redeem the ticket."""

from __future__ import annotations

import threading
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from pyarrow import flight

from tests.integration.tickstore.test_plain_flight import get, put, status_of
from tests.integration.tickstore.test_queries import descriptor
from tests.support.governed_ticks import decoded, trades, trades_schema
from tickmesh.api.tickstore.v1 import commands_pb2, expression_pb2, queries_pb2

if TYPE_CHECKING:
    from tickmesh.registry import RegistryClient

pytestmark = pytest.mark.integration


def bars(subject: str, **more: Any) -> flight.FlightDescriptor:
    read = commands_pb2.ReadCommand(dataset=subject)
    return descriptor(queries_pb2.BarsCommand(read=read, **more))


def sql(query: str, **more: Any) -> flight.FlightDescriptor:
    return descriptor(queries_pb2.SqlCommand(query=query, **more))


def refusal(client: flight.FlightClient, asked: flight.FlightDescriptor) -> tuple[str, str]:
    with pytest.raises(flight.FlightError) as refused:
        get(client, asked)
    status, info = status_of(refused.value)
    return info.reason, status.message


def test_bars_in_the_schema_they_were_planned_with(
    plain: flight.FlightClient, subject: str
) -> None:
    put(plain, subject, trades(200_000))
    asked = bars(subject, time_ns=10_000_000)
    told: Any = plain.get_schema(asked)  # the stubs say Schema
    made = get(plain, asked)
    assert told.schema.equals(made.schema)
    counts: list[Any] = made["trades"].to_pylist()
    assert sum(counts) == 200_000
    assert made.num_rows == 20 * 3
    assert made.slice(0, 1).to_pylist()[0]["symbol"] == "AAPL"


def test_more_bars_than_one_message_holds(plain: flight.FlightClient, subject: str) -> None:
    put(plain, subject, trades(300_000))
    made = get(plain, bars(subject, ticks=1))
    assert made["open"].to_pylist() == [1.0 + each for each in range(300_000)]


def test_refused_bars_say_why(plain: flight.FlightClient, subject: str) -> None:
    put(plain, subject, trades(1))
    assert refusal(plain, bars(subject, ticks=0))[0] == "INVALID_ARGUMENT"
    reason, message = refusal(plain, bars(subject, ticks=1, price_column="bid"))
    assert reason == "INVALID_ARGUMENT"
    assert "price" in message
    session = queries_pb2.TradingSession(time_zone="Mars/Olympus", close_ns=1)
    reason, message = refusal(plain, bars(subject, ticks=1, session=session))
    assert (reason, "IANA" in message) == ("INVALID_ARGUMENT", True)
    assert refusal(plain, bars("ticks.nobody", ticks=1))[0] == "DATASET_NOT_FOUND"


def test_sql_over_a_dataset(plain: flight.FlightClient, subject: str) -> None:
    put(plain, subject, trades(1_000))
    asked = sql(
        f'SELECT symbol, count(*) AS n, sum(size) AS v FROM "{subject}" GROUP BY 1 ORDER BY 1'
    )
    assert get(plain, asked).to_pylist() == [
        {"symbol": "AAPL", "n": 334, "v": Decimal(166_833)},
        {"symbol": "IBM", "n": 333, "v": Decimal(166_167)},
        {"symbol": "MSFT", "n": 333, "v": Decimal(166_500)},
    ]


def test_t6_whole_rows_come_back_equal_through_sql(
    plain: flight.FlightClient, subject: str
) -> None:
    put(plain, subject, trades(1_000))
    assert decoded(get(plain, sql(f'FROM "{subject}" ORDER BY ts'))).equals(decoded(trades(1_000)))


def test_tables_of_a_statement_are_ranges_symbols_and_columns(
    plain: flight.FlightClient, subject: str
) -> None:
    put(plain, subject, trades(1_000))
    table = queries_pb2.SqlTable(
        name="early",
        read=commands_pb2.ReadCommand(
            dataset=subject, end_ns=300_000, symbols=["IBM"], columns=["size"]
        ),
    )
    joined = sql(f'SELECT count(*) AS n FROM early JOIN "{subject}" USING (size)', tables=[table])
    assert get(plain, joined)["n"].to_pylist() == [100]
    assert get(plain, sql("FROM early", tables=[table])).column_names == ["size"]


def test_a_table_hides_the_dataset_of_its_name(plain: flight.FlightClient, subject: str) -> None:
    put(plain, subject, trades(10))
    read = commands_pb2.ReadCommand(dataset=subject, symbols=["IBM"], stamps=True)
    table = queries_pb2.SqlTable(name=subject, read=read)
    got = get(plain, sql(f'SELECT size, _schema_version FROM "{subject}"', tables=[table]))
    assert got.to_pydict() == {"size": [1, 4, 7], "_schema_version": [1, 1, 1]}


def test_parameters(plain: flight.FlightClient, subject: str) -> None:
    put(plain, subject, trades(10))
    values = [
        expression_pb2.Value(instant_ns=4_000),
        expression_pb2.Value(text="AAPL"),
        expression_pb2.Value(decimal="0.5"),
    ]
    query = f'SELECT size * $3 AS half FROM "{subject}" WHERE ts > $1 AND symbol = $2'
    halves: list[Any] = get(plain, sql(query, parameters=values))["half"].to_pylist()
    assert sorted(halves) == [Decimal("3.0"), Decimal("4.5")]


def test_t7_a_statement_sees_the_snapshot_it_was_planned_for(
    plain: flight.FlightClient, subject: str
) -> None:
    put(plain, subject, trades(10))
    info = plain.get_flight_info(sql(f'SELECT count(*) AS n FROM "{subject}"'))
    put(plain, subject, trades(5, start_ns=1_000_000))
    (endpoint,) = info.endpoints
    assert plain.do_get(endpoint.ticket).read_all()["n"].to_pylist() == [10]


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT * FROM read_csv('/etc/passwd')", "read_csv"),
        ("COPY (SELECT 1) TO '/tmp/stolen'", "one SELECT"),
        ("ATTACH 'x.db'", "one SELECT"),
        ("INSTALL httpfs", "one SELECT"),
        ("SET threads = 100", "one SELECT"),
        ("PRAGMA version", "one SELECT"),
        ("CREATE TABLE t (a INT)", "one SELECT"),
        ("SELECT 1; SELECT 2", "one statement"),
        ("SELECT getenv('HOME')", "getenv"),
        ("FROM '/etc/passwd'", 'no table "/etc/passwd"'),
        ("FROM nobody", 'no table "nobody"'),
        ("FROM duckdb_settings", 'no table "duckdb_settings"'),
        ("FROM sqlite_master", 'no table "sqlite_master"'),
        ("SELECT nope FROM (SELECT 1 AS a)", "nope"),
        ("SELECT", "without selection list"),
    ],
)
def test_hostile_and_wrong_statements_are_refused_with_what_to_do(
    plain: flight.FlightClient, query: str, told: str
) -> None:
    reason, message = refusal(plain, sql(query))
    assert (reason, told in message) == ("QUERY_INVALID", True), message
    assert "Traceback" not in message
    assert "duckdb" not in message.lower().replace("duckdb_settings", "")


def test_an_error_in_the_middle_of_an_answer_is_a_typed_refusal(
    plain: flight.FlightClient, subject: str
) -> None:
    put(plain, subject, trades(200_000))
    query = f"""SELECT CASE WHEN size < 150000 THEN size ELSE ('x' || size)::BIGINT END AS n
                FROM "{subject}" """
    reason, message = refusal(plain, sql(query))
    assert reason == "QUERY_INVALID"
    assert "convert" in message


def test_a_client_that_leaves_ends_its_statement(plain: flight.FlightClient) -> None:
    """Twice as many as may run at a time, each for ever: all of them give their places back."""
    endless = "SELECT sum(a.range * b.range) AS n FROM range(10000000) a, range(10000000) b"
    for _ in range(4):
        (endpoint,) = plain.get_flight_info(sql(endless)).endpoints
        reader = plain.do_get(endpoint.ticket)
        threading.Timer(0.3, reader.cancel).start()
        with pytest.raises((flight.FlightError, KeyboardInterrupt, OSError)):
            reader.read_all()
    started = time.monotonic()
    assert get(plain, sql("SELECT 1 AS a"))["a"].to_pylist() == [1]
    assert time.monotonic() - started < 15


def test_decimals_of_more_than_38_digits_are_text_in_sql(
    plain: flight.FlightClient, registry: RegistryClient
) -> None:
    import pyarrow as pa

    subject = "ticks.wide_decimals"
    registry.register(subject, trades_schema(wide={"type": "number", "arrow": "decimal256(50, 5)"}))
    wide = Decimal("1" * 45 + ".12345")
    rows = trades(1).append_column("wide", pa.array([wide], pa.decimal256(50, 5)))
    put(plain, subject, rows)
    assert get(plain, sql(f'SELECT wide FROM "{subject}"'))["wide"].to_pylist() == [str(wide)]
