"""x-tick-quote-bounds: a price beyond the quote in force by more than the spread."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cleaner.rules.tables import Verdicts, at, table

PRICES = st.one_of(st.none(), st.integers(1, 12).map(float))
TICKS = st.lists(st.tuples(st.sampled_from(["A", "B"]), PRICES, PRICES, PRICES), max_size=40)
Tick = tuple[str, float | None, float | None, float | None]


def rows_of(ticks: list[Tick]) -> list[dict[str, Any]]:
    return [
        {"ts": at(row), "symbol": symbol, "price": price, "bid": bid, "ask": ask}
        for row, (symbol, price, bid, ask) in enumerate(ticks)
    ]


def one_by_one(ticks: list[Tick], *, spreads: float, max_age: float | None) -> list[int]:
    quotes: dict[str, tuple[float, float, int]] = {}
    beyond = []
    for row, (symbol, price, bid, ask) in enumerate(ticks):
        if bid is not None and ask is not None and ask >= bid:
            quotes[symbol] = (bid, ask, row)
        if price is None or symbol not in quotes:
            continue
        low, high, since = quotes[symbol]
        if max_age is not None and row - since > max_age:
            continue
        margin = spreads * (high - low)
        if price > high + margin or price < low - margin:
            beyond.append(row)
    return beyond


def test_a_trade_is_judged_by_the_last_quote_of_its_symbol() -> None:
    rules = table({"x-tick-quote-bounds": {"severity": "reject"}})
    ticks: list[Tick] = [
        ("A", 9.0, None, None),
        ("A", None, 10.0, 10.5),
        ("B", None, 20.0, 20.5),
        ("A", 11.0, None, None),
        ("A", 11.5, None, None),
        ("B", 19.0, None, None),
        ("A", 12.0, 11.0, 12.0),
    ]
    ruling = rules.judge(rows_of(ticks))
    assert {row: reasons[0].message for row, reasons in ruling.held.items()} == {
        4: "11.5 is beyond the quote in force, 10 to 10.5, by more than 1 of its spreads",
        5: "19.0 is beyond the quote in force, 20 to 20.5, by more than 1 of its spreads",
    }


@given(
    ticks=TICKS,
    piece=st.integers(1, 9),
    spreads=st.sampled_from([0, 1, 2]),
    max_age=st.sampled_from([None, 3]),
)
def test_it_finds_what_looking_row_by_row_finds_however_the_rows_are_cut(
    ticks: list[Tick], piece: int, spreads: int, max_age: float | None
) -> None:
    parameters: dict[str, object] = {"spreads": spreads}
    if max_age is not None:
        parameters["max_age_seconds"] = max_age
    rules = table({"x-tick-quote-bounds": parameters})
    expected = one_by_one(ticks, spreads=spreads, max_age=max_age)
    found = rules.verdicts_in_pieces(rows_of(ticks), piece)
    assert [row for row, bits in enumerate(found.flags) if bits] == expected
    assert Verdicts.of(rules.judge(rows_of(ticks))) == found
