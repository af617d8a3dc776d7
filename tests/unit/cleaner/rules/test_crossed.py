"""x-tick-crossed: a bid above the ask is refused; locked quotes are legal unless told otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cleaner.rules.tables import Verdicts, table

PRICES = st.one_of(st.none(), st.sampled_from([0.0, 1.0, 1.01, 2.0, -1.0]))


def test_a_crossed_quote_is_refused_with_both_prices_and_a_locked_one_is_not() -> None:
    ruling = table({"x-tick-crossed": True}).judge(
        [{"bid": 10.02, "ask": 10.01}, {"bid": 10.01, "ask": 10.01}, {"bid": 10.0, "ask": 10.01}]
    )
    (reason,) = ruling.held[0]
    assert list(ruling.held) == [0]
    assert reason.code == "TICK_CROSSED"
    assert reason.message == "the bid 10.02 is above the ask 10.01"


@pytest.mark.parametrize("locked", ["allow", "flag", "reject"])
@pytest.mark.parametrize("zero", ["absent", "price"])
@given(quotes=st.lists(st.tuples(PRICES, PRICES), max_size=20))
def test_it_finds_what_looking_row_by_row_finds(
    locked: str, zero: str, quotes: list[tuple[float | None, float | None]]
) -> None:
    rules = table({"x-tick-crossed": {"locked": locked, "zero": zero, "severity": "flag"}})
    crossed, equal = [], []
    for row, (bid, ask) in enumerate(quotes):
        if bid is None or ask is None or (zero == "absent" and 0 in {bid, ask}):
            continue
        if bid > ask:
            crossed.append(row)
        if bid == ask:
            equal.append(row)
    found = Verdicts.of(rules.judge([{"bid": bid, "ask": ask} for bid, ask in quotes]))
    assert found.held == (dict.fromkeys(equal, ("TICK_LOCKED",)) if locked == "reject" else {})
    assert [row for row, bits in enumerate(found.flags) if bits & 1 << 2] == crossed
    flagged = equal if locked == "flag" else []
    assert [row for row, bits in enumerate(found.flags) if bits & 1 << 3] == flagged


def test_decimals_of_different_scales_are_compared_exactly() -> None:
    rules = table(
        {"x-tick-crossed": True},
        bid={"arrow": "decimal128(18, 8)"},
        ask={"arrow": "decimal128(20, 2)"},
    )
    assert list(rules.judge([{"bid": _decimal("1.01000001"), "ask": _decimal("1.01")}]).held) == [0]
    assert not rules.judge([{"bid": _decimal("1.01000000"), "ask": _decimal("1.01")}]).held


def _decimal(text: str) -> object:
    from decimal import Decimal

    return Decimal(text)
