"""Which rows a statement of SQL can want: no answer changes when the others stay away."""

from __future__ import annotations

import math
import random
from decimal import Decimal
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from tickmesh_tickstore.domain.filters import (
    AllOf,
    AnyOf,
    Comparison,
    Filter,
    Membership,
    Not,
    Operator,
)
from tickmesh_tickstore.engine.filtering import condition_of
from tickmesh_tickstore.queries.sql_conditions import wanted_rows

TEXTS = ["A", "B", "a", "", "O'Neil", "ä"]
WHOLE = [0, 1, -1, 5, 127, -128]
LARGE = [0, 1, 2**53, 2**53 + 1, 2**63, 2**64 - 1]
NUMBERS = [0.0, -0.0, 0.1, 100.1, 0.1 + 0.2, 1e22, -5.0, math.nan, math.inf, -math.inf]
DECIMALS = [Decimal("0.10"), Decimal("-0.01"), Decimal("12345678.90"), Decimal(5)]
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "symbol": (pa.dictionary(pa.int32(), pa.string()), TEXTS),
    "venue": (pa.string(), TEXTS),
    "side": (pa.int8(), WHOLE),
    "size": (pa.int64(), [*WHOLE, 2**53, 2**53 + 1, -(2**63)]),
    "sequence": (pa.uint64(), LARGE),
    "price": (pa.float64(), NUMBERS),
    "weight": (pa.float32(), NUMBERS),
    "fee": (pa.decimal128(12, 2), DECIMALS),
    "late": (pa.bool_(), [True, False]),
}
TYPES = {name: kind for name, (kind, _) in COLUMNS.items()}


@cache
def engine() -> duckdb.DuckDBPyConnection:
    """One for all statements: opening one costs more than most of them."""
    return duckdb.connect()


def parsed(statement: str) -> str:
    query = "SELECT json_serialize_sql(?, skip_empty := true, skip_null := true)"
    (row,) = engine().execute(query, [statement]).fetchall()
    return str(row[0])


def wanted(statement: str, *parameters: tuple[str, Any]) -> Filter | None:
    return wanted_rows(parsed(statement), table="trades", columns=TYPES, parameters=parameters)


def where(condition: str, *parameters: tuple[str, Any]) -> Filter | None:
    return wanted(f"SELECT count(*) FROM trades WHERE {condition}", *parameters)


A = Comparison("symbol", Operator.EQUAL, "A")


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("symbol = 'A'", A),
        ("'A' = symbol", A),
        ("Trades.SYMBOL = 'A'", A),
        ("symbol IN ('A', 'O''Neil', NULL)", Membership("symbol", ("A", "O'Neil"))),
        ("symbol = 'A' AND price > random()", A),
        ("symbol = 'A' OR symbol = 'A'", AnyOf((A, A))),
        (
            "symbol = 'A' AND side < 1_0",
            AllOf((A, Comparison("side", Operator.LESS, 10))),
        ),
        ("10 >= side", Comparison("side", Operator.LESS_OR_EQUAL, 10)),
        (
            "size BETWEEN 1 AND 5",
            AllOf(
                (
                    Comparison("size", Operator.GREATER_OR_EQUAL, 1),
                    Comparison("size", Operator.LESS_OR_EQUAL, 5),
                )
            ),
        ),
        ("fee <> 0.10", Comparison("fee", Operator.NOT_EQUAL, Decimal("0.10"))),
        ("late = true", Comparison("late", Operator.EQUAL, True)),
        ("price >= 0", Not(Comparison("price", Operator.LESS, 0.0))),
    ],
)
def test_comparisons_with_values_are_conditions(condition: str, expected: Filter) -> None:
    found = where(condition)
    assert found == expected or (
        isinstance(found, AllOf)
        and isinstance(expected, AllOf)
        and set(found.operands) == set(expected.operands)
    )


def test_parameters_are_the_values_they_stand_for() -> None:
    parameters = (("VARCHAR", "A"), ("BIGINT", 5), ("DECIMAL", "0.10"))
    assert where("symbol = $1", *parameters) == A
    assert where("size = $2", *parameters) == Comparison("size", Operator.EQUAL, 5)
    assert where("fee = $3", *parameters) == Comparison("fee", Operator.EQUAL, Decimal("0.10"))
    assert where("size = $1", *parameters) is None
    assert where("symbol = $4", *parameters) is None


@pytest.mark.parametrize(
    "condition",
    [
        "symbol = 'A' OR random() < 0.5",
        "NOT symbol = 'A'",
        "symbol = venue",
        "symbol = 5",
        "symbol COLLATE nocase = 'a'",
        "symbol = 'a' COLLATE nocase",
        "lower(symbol) = 'a'",
        "symbol IS DISTINCT FROM 'A'",
        "symbol IN (SELECT venue FROM other)",
        "symbol IN ('A', venue)",
        "side = 1000",
        "side = 1.0",
        "size < 1e3",
        "size BETWEEN 9007199254740993 AND 1e300",
        "fee = 0.101",
        "fee = 1e0",
        "other.symbol = 'A'",
        "price IN (1, 2)",
        "price <> 1",
        "price > 1e309",
        "price > '5'",
    ],
)
def test_what_is_not_surely_understood_narrows_nothing(condition: str) -> None:
    assert where(condition) is None


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM trades",
        "SELECT * FROM trades TABLESAMPLE 10% WHERE symbol = 'A'",
        "SELECT * FROM trades WHERE symbol = 'A' USING SAMPLE 5",
        "SELECT * FROM trades t(venue, symbol) WHERE symbol = 'A'",
        "SELECT * FROM trades a, trades b WHERE a.symbol = 'A'",
        "SELECT * FROM trades WHERE symbol = 'A' AND size > (SELECT avg(size) FROM Trades)",
        "SELECT * FROM trades WHERE symbol = 'A' UNION ALL SELECT * FROM trades",
        "SELECT * FROM trades LEFT JOIN other USING (symbol) WHERE symbol = 'A'",
        "SELECT * FROM (FROM trades) WHERE symbol = 'A'",
        "WITH TRADES AS (SELECT 'A' AS symbol) SELECT * FROM trades WHERE symbol = 'A'",
        "SELECT * FROM other WHERE symbol = 'A'",
        "SELECT count(*) FILTER (WHERE symbol = 'A') FROM trades",
        "SELECT symbol FROM trades GROUP BY ALL HAVING symbol = 'A'",
        "SELECT * FROM trades QUALIFY symbol = 'A'",
    ],
)
def test_only_the_where_of_the_only_scan_of_a_table_narrows_it(statement: str) -> None:
    assert wanted(statement) is None


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT max(price) FROM trades t WHERE t.symbol = 'A' GROUP BY side ORDER BY 1 LIMIT 3",
        "SELECT * FROM other WHERE price > (SELECT max(price) FROM trades WHERE symbol = 'A')",
        "WITH q AS (SELECT * FROM trades WHERE symbol = 'A') SELECT * FROM q a, q b",
        "SELECT * FROM other o JOIN (SELECT * FROM trades WHERE symbol = 'A') t USING (symbol)",
    ],
)
def test_a_scan_is_narrowed_wherever_it_stands(statement: str) -> None:
    assert wanted(statement) == A


def test_an_alias_of_the_answer_does_not_hide_a_column() -> None:
    rows = pa.table({"size": [1, 5, -5]})
    statement = "SELECT -size AS size FROM trades WHERE size > 3"
    assert wanted(statement) == Comparison("size", Operator.GREATER, 3)
    assert answer(statement, rows) == [(-5,)]


def test_a_list_beyond_what_a_filter_may_hold_narrows_nothing() -> None:
    assert where(f"size IN ({', '.join(map(str, range(20_000)))})") is None


def literal(column: str) -> st.SearchStrategy[str]:
    """Values as statements write them, of the column's kind and of others."""
    texts = st.sampled_from(TEXTS).map(lambda text: "'" + text.replace("'", "''") + "'")
    whole = st.sampled_from([*WHOLE, *LARGE]).map(str)
    points = st.sampled_from(
        ["0.1", "100.1", ".30000000000000004", "1e22", "-5.0", "0.10", "-0.01", "5.000", "1e-320"]
    )
    kind = TYPES[column]
    if column in {"symbol", "venue"}:
        return texts
    if pa.types.is_boolean(kind):
        return st.sampled_from(["true", "false"])
    return whole | points


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> str:
    if depth and draw(st.booleans()):
        words = draw(st.sampled_from([" AND ", " OR "]))
        parts = draw(st.lists(conditions(depth - 1), min_size=2, max_size=3))
        return f"({words.join(parts)})"
    column = draw(st.sampled_from(sorted(TYPES)))
    values = draw(st.lists(literal(column) | st.just("NULL"), min_size=2, max_size=4))
    operator = draw(st.sampled_from(["=", "<>", "<", "<=", ">", ">=", "mirrored", "in", "between"]))
    match operator:
        case "in":
            term = f"{column} IN ({', '.join(values)})"
        case "between":
            term = f"{column} BETWEEN {values[0]} AND {values[1]}"
        case "mirrored":
            term = f"{values[0]} <= {column}"
        case _:
            term = f"{column} {operator} {values[0]}"
    return f"NOT {term}" if draw(st.integers(0, 4)) == 0 else term


def table(rows: int) -> pa.Table:
    """Rows with every special value of every column, and nulls, in many combinations."""
    chance = random.Random(11)
    columns: list[pa.Array[Any]] = [pa.array(range(rows))]
    for kind, values in COLUMNS.values():
        drawn = [chance.choice([None, *values]) for _ in range(rows)]
        if pa.types.is_dictionary(kind):
            columns.append(pa.array(drawn, pa.string()).dictionary_encode().cast(kind))
        else:
            columns.append(pa.array(drawn, kind))
    return pa.table(columns, names=["row", *COLUMNS])


ROWS = table(500)


def answer(statement: str, rows: pa.Table) -> list[Any] | None:
    """What DuckDB says; None where it refuses the statement."""
    engine().register("trades", rows)
    try:
        return engine().execute(statement).fetchall()
    except duckdb.Error:
        return None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(condition=conditions())
@example(condition="price > 1e3")
@example(condition="weight >= 16777217")
@example(condition="price BETWEEN 0.1 AND 100.1")
@example(condition="sequence < 9007199254740993")
def test_no_answer_changes_when_unwanted_rows_stay_away(condition: str) -> None:
    statement = f"SELECT row FROM trades WHERE {condition} ORDER BY row"
    understood = wanted(statement)
    assume(understood is not None)
    assert understood is not None
    whole = answer(statement, ROWS)
    assume(whole is not None)
    mask = condition_of(understood, ROWS.schema).mask
    batches = [batch.filter(mask(batch)) for batch in ROWS.to_batches()]
    assert answer(statement, pa.Table.from_batches(batches, ROWS.schema)) == whole
