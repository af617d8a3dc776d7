"""x-tick-brownlees-gallo: a price far from the trimmed mean of its neighbours."""

from __future__ import annotations

from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cleaner.rules.tables import table
from tickmesh_cleaner.rules import RuleError

TICKS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.one_of(st.none(), st.integers(400, 408).map(lambda units: units / 4), st.just(130.0)),
    ),
    min_size=30,
    max_size=60,
)
Tick = tuple[str, float | None]
RULE = {"window": 10, "granularity": 0.5, "trim": 0.4, "times": 1.5}


def rows_of(ticks: list[Tick]) -> list[dict[str, object]]:
    return [{"symbol": symbol, "price": price} for symbol, price in ticks]


def margin(price: float, window: list[float]) -> float:
    """How much further from the mean the price might be: below 0 where it is too far."""
    kept = sorted(window)[2:-2]
    return 1.5 * stdev(kept) + 0.5 - abs(price - mean(kept))


def check(flags: list[int], margins: dict[int, float]) -> None:
    for row, bits in enumerate(flags):
        away = margins.get(row, 1.0)
        # The reference adds exactly; at the bound itself the last digit of a double may decide.
        if abs(away) > 1e-9:
            assert bool(bits) is (away < 0), row


def test_a_lone_price_is_flagged_and_a_move_by_one_tick_from_a_flat_market_is_not() -> None:
    rules = table(price={"x-tick-brownlees-gallo": {"window": 10, "granularity": 0.02}})
    flat = [100.0] * 10
    ruling = rules.judge(rows_of([("A", price) for price in [*flat, 100.01, 101.0, 100.0]]))
    assert [row for row, bits in enumerate(ruling.flags.tolist()) if bits] == [11]
    assert ruling.flagged == {"TICK_BROWNLEES_GALLO": 1}


@given(ticks=TICKS, piece=st.integers(1, 9))
def test_the_causal_form_knows_the_prices_before_and_no_others(
    ticks: list[Tick], piece: int
) -> None:
    before: dict[str, list[float]] = {"A": [], "B": []}
    margins = {}
    for row, (symbol, price) in enumerate(ticks):
        if price is None:
            continue
        if len(before[symbol]) >= 10:
            margins[row] = margin(price, before[symbol][-10:])
        before[symbol].append(price)
    rules = table(price={"x-tick-brownlees-gallo": RULE})
    check(list(rules.verdicts_in_pieces(rows_of(ticks), piece).flags), margins)


@given(ticks=TICKS)
def test_the_centred_form_looks_at_as_many_prices_after_as_before(ticks: list[Tick]) -> None:
    margins = {}
    for symbol in "AB":
        rows = [row for row, (own, price) in enumerate(ticks) if own == symbol and price]
        prices = [price for own, price in ticks if own == symbol and price]
        for place, row in enumerate(rows):
            if len(rows) > 10:
                begin = min(max(place - 5, 0), len(rows) - 11)
                window = [*prices[begin:place], *prices[place + 1 : begin + 11]]
                margins[row] = margin(prices[place], window)
    rules = table(price={"x-tick-brownlees-gallo": RULE})
    check(rules.judge_whole(rows_of(ticks)).flags.tolist(), margins)


def test_the_granularity_must_be_chosen() -> None:
    with pytest.raises(RuleError, match="expected a number above 0, not nothing") as refused:
        table(price={"x-tick-brownlees-gallo": True})
    assert refused.value.pointer == "/properties/price/x-tick-brownlees-gallo/granularity"
