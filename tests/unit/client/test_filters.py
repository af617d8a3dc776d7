"""Conditions built in Python or read from text: the same messages, and nothing guessed."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickmesh._ticks.values import ExactInstant, value_message
from tickmesh.api.tickstore.v1 import expression_pb2 as wire
from tickmesh.errors import InvalidArgumentError
from tickmesh.ticks import col, parse_filter

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh.ticks import Filter

NAMES = {"col": col, "Decimal": Decimal, "ExactInstant": ExactInstant}


def comparison(column: str, operator: Any, **value: Any) -> wire.Expression:
    return wire.Expression(
        comparison=wire.Comparison(column=column, operator=operator, value=wire.Value(**value))
    )


def test_a_condition_becomes_its_message() -> None:
    condition = (col("price") > 100) & ((col("symbol") == "AAPL") | ~col("size").isin([1, 2]))
    membership = wire.Membership(
        column="size", values=[wire.Value(integer=1), wire.Value(integer=2)]
    )
    either = wire.Junction(
        operands=[
            comparison("symbol", wire.COMPARISON_OPERATOR_EQUAL, text="AAPL"),
            wire.Expression(negation=wire.Expression(membership=membership)),
        ]
    )
    assert condition.message() == wire.Expression(
        all_of=wire.Junction(
            operands=[
                comparison("price", wire.COMPARISON_OPERATOR_GREATER, integer=100),
                wire.Expression(any_of=either),
            ]
        )
    )


@pytest.mark.parametrize(
    ("build", "operator"),
    [
        (lambda column: column == 1, wire.COMPARISON_OPERATOR_EQUAL),
        (lambda column: column != 1, wire.COMPARISON_OPERATOR_NOT_EQUAL),
        (lambda column: column < 1, wire.COMPARISON_OPERATOR_LESS),
        (lambda column: column <= 1, wire.COMPARISON_OPERATOR_LESS_OR_EQUAL),
        (lambda column: column > 1, wire.COMPARISON_OPERATOR_GREATER),
        (lambda column: column >= 1, wire.COMPARISON_OPERATOR_GREATER_OR_EQUAL),
        (lambda column: 1 < column, wire.COMPARISON_OPERATOR_GREATER),  # noqa: SIM300 — turned
    ],
)
def test_each_operator_says_what_it_says(
    build: Callable[[Any], Filter], operator: wire.ComparisonOperator.ValueType
) -> None:
    assert build(col("size")).message() == comparison("size", operator, integer=1)


def test_the_bounds_of_between_are_part_of_it() -> None:
    assert col("p").between(1, 2) == (col("p") >= 1) & (col("p") <= 2)
    assert col("p").is_not_null() == ~col("p").is_null()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, wire.Value(truth=True)),
        (np.bool_(True), wire.Value(truth=True)),
        (7, wire.Value(integer=7)),
        (np.int8(7), wire.Value(integer=7)),
        (2**64 - 1, wire.Value(unsigned_integer=2**64 - 1)),
        (np.uint64(2**64 - 1), wire.Value(unsigned_integer=2**64 - 1)),
        (10**30, wire.Value(decimal="1" + "0" * 30)),
        (0.1, wire.Value(number=0.1)),
        (np.float32(0.5), wire.Value(number=0.5)),
        (Decimal("1E+2"), wire.Value(decimal="100")),
        ("AAPL", wire.Value(text="AAPL")),
        (np.str_("AAPL"), wire.Value(text="AAPL")),
        (b"\0", wire.Value(binary=b"\0")),
        (pd.Timestamp(1, unit="ns", tz="UTC"), wire.Value(instant_ns=1)),
        (
            dt.datetime(2026, 11, 20, 9, 30, tzinfo=ZoneInfo("America/New_York")),
            wire.Value(instant_ns=1_795_185_000_000_000_000),
        ),
    ],
    ids=repr,
)
def test_a_value_is_carried_exactly(value: Any, message: wire.Value) -> None:
    assert value_message(value, name="value") == message


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: col("p").isin([math.nan]), "NaN"),
        (lambda: col("p") == None, r"is_null\(\)"),  # noqa: E711 — the mistake itself
        (lambda: col("p") == [1], "list"),
        (lambda: col("ts") > dt.datetime(2026, 11, 20), "no time zone"),  # noqa: DTZ001 — so it is
        (lambda: col("ts").compared(">", dt.date(2026, 11, 20)), "no time zone"),
        (lambda: col("ts") > np.datetime64("2026-11-20"), "no time zone"),
        (lambda: col("p") == col("q"), "SQL"),
        (lambda: col("p").isin("AAPL"), "several values"),
        (lambda: col("p").compared("<", None), "None"),
        (lambda: col(""), "named by text"),
        (lambda: col("p") > Decimal("inf"), "finite"),
    ],
)
def test_what_cannot_be_meant_is_refused(build: Callable[[], object], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        build()


@pytest.mark.parametrize(
    "build",
    [
        lambda: (col("p") > 1) and (col("p") < 2),
        lambda: 1 < col("p") < 2,
        lambda: not (col("p") > 1),
        lambda: (col("p") > 1) & "q < 2",  # type: ignore[operator]  # that is the point
    ],
)
def test_pythons_own_words_do_not_build_a_wrong_condition(build: Callable[[], object]) -> None:
    with pytest.raises(TypeError, match=r"&"):
        build()


VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.text(),
    st.integers(-(2**63), 2**63 - 1).map(ExactInstant),
)
TESTS = st.one_of(
    st.builds(lambda name, value: col(name) >= value, st.text(min_size=1), VALUES),
    st.builds(lambda name, values: col(name).isin(values), st.text(min_size=1), st.lists(VALUES)),
    st.builds(lambda name: col(name).is_null(), st.text(min_size=1)),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds(lambda one, other: one & other, inner, inner),
        st.builds(lambda one, other: one | other, inner, inner),
        st.builds(lambda one: ~one, inner),
    ),
    max_leaves=8,
)


@given(CONDITIONS)
def test_a_condition_shows_the_python_that_builds_it(condition: Filter) -> None:
    again = eval(repr(condition), dict(NAMES))
    assert again.message() == condition.message()


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("price > 100", col("price") > 100),
        (
            "price > 100 and symbol = 'AAPL'",
            (col("price") > 100) & (col("symbol") == "AAPL"),
        ),
        (
            "a = 1 OR b <> -2.5e3 AND NOT c IS NULL",
            (col("a") == 1) | ((col("b") != -2500.0) & ~col("c").is_null()),
        ),
        ("(a = 1 or b = 2) and c = 3", ((col("a") == 1) | (col("b") == 2)) & (col("c") == 3)),
        (
            "s in ('it''s', 'b') and t not in (1)",
            col("s").isin(["it's", "b"]) & ~col("t").isin([1]),
        ),
        ("p between 1 and 2 and q = true", col("p").between(1, 2) & (col("q") == True)),  # noqa: E712
        ("p not between 1 and 2", ~col("p").between(1, 2)),
        ('"odd ""name""" == 1', col('odd "name"') == 1),
        ("v is not null", col("v").is_not_null()),
        ("d >= decimal '0.10'", col("d") >= Decimal("0.10")),
        (
            "ts < timestamp '1970-01-01T00:00:00.000000001Z'",
            col("ts") < pd.Timestamp(1, unit="ns", tz="UTC"),
        ),
    ],
)
def test_text_means_what_sql_means_by_it(text: str, condition: Filter) -> None:
    assert parse_filter(text) == condition


def test_a_timestamp_without_a_zone_is_read_in_tz() -> None:
    text = "ts >= timestamp '2026-11-20T09:30'"
    moment = dt.datetime(2026, 11, 20, 9, 30, tzinfo=ZoneInfo("America/New_York"))
    assert parse_filter(text, tz="America/New_York") == (col("ts") >= moment)
    with pytest.raises(InvalidArgumentError, match="tz="):
        parse_filter(text)


@pytest.mark.parametrize(
    ("text", "character", "words"),
    [
        ("", 1, "a column's name"),
        ("price", 6, "expected ="),
        ("price >", 8, "a value"),
        ("symbol = AAPL", 10, "'AAPL'"),
        ('symbol = "AAPL"', 10, "'AAPL'"),
        ("venue = null", 9, "IS NULL"),
        ("a = 1 b = 2", 7, "AND, OR or the end"),
        ("a = 'x", 5, "does not end"),
        ("a in ()", 7, "a value"),
        ("(a = 1", 7, r"\)"),
        ("a not 5", 7, "IN or BETWEEN"),
        ("a = 1; drop", 6, "no place"),
        ("not " * 40 + "a = 1", 129, "at most 32"),
        ("d > decimal 'x'", 13, "decimal"),
    ],
)
def test_text_that_is_no_condition_says_where_it_goes_wrong(
    text: str, character: int, words: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=words) as refused:
        parse_filter(text)
    assert f"at character {character} " in refused.value.message


def test_a_condition_of_many_characters_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="4096"):
        parse_filter("a = 1 or " * 1_000 + "a = 1")
