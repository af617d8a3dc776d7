"""x-tick-size: a price is a multiple of the tick of its level, exactly."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cleaner.rules.tables import table
from tickmesh_cleaner.rules import RuleError

LEVELS = [{"from": 0, "tick": 0.0001}, {"from": 1, "tick": 0.01}, {"from": 100, "tick": 0.25}]


def tick_of(value: Fraction) -> Fraction:
    if abs(value) >= 100:
        return Fraction(1, 4)
    return Fraction(1, 100) if abs(value) >= 1 else Fraction(1, 10_000)


def double_is_multiple(value: float) -> bool:
    """Whether a double is the one nearest to a multiple of its tick."""
    tick = tick_of(Fraction(value))
    return float(round(Fraction(value) / tick) * tick) == value


def test_the_message_names_the_tick_and_the_nearest_multiple() -> None:
    ruling = table(price={"x-tick-size": 0.01}).judge([{"price": 1.005}, {"price": 1.01}])
    (reason,) = ruling.held[0]
    assert list(ruling.held) == [0]
    assert (reason.code, reason.instance_path) == ("TICK_SIZE", "/price")
    assert reason.schema_path == "/properties/price/x-tick-size"
    assert reason.message == "expected a multiple of 0.01, not 1.005; the nearest is 1.0"


def test_every_hundredth_is_a_multiple_of_a_hundredth_and_a_sum_that_was_rounded_is_not() -> None:
    rules = table(price={"x-tick-size": 0.01})
    assert not rules.judge([{"price": cents / 100} for cents in range(-20_000, 20_000)]).held
    assert list(rules.judge([{"price": 0.3}, {"price": 0.1 + 0.2}]).held) == [1]


@given(
    st.lists(
        st.one_of(
            st.none(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.integers(-(10**9), 10**9).map(lambda units: units / 10_000),
            st.integers(-(10**6), 10**6).map(lambda units: units / 4),
        ),
        max_size=20,
    )
)
def test_doubles_agree_with_exact_fractions(prices: list[float | None]) -> None:
    ruling = table(price={"x-tick-size": {"levels": LEVELS}}).judge(
        [{"price": price} for price in prices]
    )
    expected = [
        row
        for row, price in enumerate(prices)
        if price is not None and not double_is_multiple(price)
    ]
    assert list(ruling.held) == expected


@given(
    units=st.lists(st.one_of(st.none(), st.integers(-(10**30), 10**30)), max_size=12),
    scale=st.sampled_from([0, 2, 4, 8, 14, 30]),
)
def test_decimals_agree_with_exact_fractions(units: list[int | None], scale: int) -> None:
    prices = [None if unit is None else Decimal(f"{unit}e-{scale}") for unit in units]
    kind = {"arrow": f"decimal128(38, {scale})", "x-tick-size": {"levels": LEVELS}}
    ruling = table(price=kind).judge([{"price": price} for price in prices])
    expected = [
        row
        for row, price in enumerate(prices)
        if price is not None and Fraction(price) % tick_of(Fraction(price))
    ]
    assert list(ruling.held) == expected


@pytest.mark.parametrize("kind", ["int64", "uint64", "int16"])
def test_integers_are_judged_in_their_own_units(kind: str) -> None:
    rules = table(price={"type": "integer", "arrow": kind, "x-tick-size": 5})
    largest = 2**64 - 1 if kind == "uint64" else 32_767
    rows: list[dict[str, Any]] = [{"price": 15}, {"price": 16}, {"price": None}]
    assert list(rules.judge([*rows, {"price": largest - largest % 5}]).held) == [1]
    assert list(rules.judge([*rows, {"price": largest - largest % 5 - 1}]).held) == [1, 3]


def test_a_single_precision_price_is_judged_by_the_form_it_is_printed_in() -> None:
    rules = table(price={"arrow": "float32", "x-tick-size": 0.01})
    assert not rules.judge([{"price": cents / 100} for cents in range(-2_000, 2_000)]).held
    assert list(rules.judge([{"price": 1.005}, {"price": 0.1}, {"price": 3e9}]).held) == [0]


def test_a_scaled_integer_is_judged_as_the_number_it_stands_for() -> None:
    rules = table(price={"arrow": "scaled_int64(4)", "x-tick-size": {"tick": 0.01}})
    assert list(rules.judge([{"price": 4_799_000}, {"price": 4_799_001}]).held) == [1]


@pytest.mark.parametrize(
    ("field", "stood", "stands"),
    [
        ({}, 1.005, 1.0),
        ({"arrow": "decimal128(18, 4)"}, Decimal("1.0061"), Decimal("1.0100")),
        ({"arrow": "scaled_int64(4)"}, 10_061, 10_100),
    ],
    ids=["double", "decimal", "scaled"],
)
def test_a_repaired_price_is_the_nearest_multiple_and_what_stood_there_is_on_record(
    field: dict[str, object], stood: object, stands: object
) -> None:
    rules = table(price={**field, "x-tick-size": {"tick": 0.01, "severity": "repair"}})
    ruling = rules.judge([{"price": stood}])
    assert not ruling.held
    assert ruling.columns["price"].to_pylist() == [stands]
    (value,) = ruling.repaired
    assert (value.row, value.field, value.code) == (0, "price", "TICK_SIZE")
    assert Decimal(str(value.before)) != Decimal(str(value.after))


def test_a_type_that_cannot_hold_every_multiple_is_not_repaired() -> None:
    with pytest.raises(RuleError, match="reject or flag instead") as refused:
        table(
            price={
                "arrow": "decimal128(18, 2)",
                "x-tick-size": {"tick": 0.125, "severity": "repair"},
            }
        )
    assert refused.value.pointer == "/properties/price/x-tick-size/severity"
