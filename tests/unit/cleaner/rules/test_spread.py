"""x-tick-spread: a spread many times as wide as is usual."""

from __future__ import annotations

from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cleaner.rules.tables import at, table

# Halves and quarters add exactly, so the reference may add in another order.
TICKS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.one_of(st.none(), st.sampled_from([-0.5, 0.0, 0.25, 0.5, 0.5, 1.0, 2.0, 40.0])),
    ),
    min_size=25,
    max_size=60,
)
Tick = tuple[str, float | None]


def rows_of(ticks: list[Tick], *, step: float = 1.0) -> list[dict[str, object]]:
    return [
        {
            "ts": at(row * step),
            "symbol": symbol,
            "bid": 100.0,
            "ask": None if spread is None else 100.0 + spread,
        }
        for row, (symbol, spread) in enumerate(ticks)
    ]


def flagged(flags: tuple[int, ...] | list[int]) -> list[int]:
    return [row for row, bits in enumerate(flags) if bits]


def test_a_spread_of_more_than_fifty_medians_is_flagged_and_stored() -> None:
    rules = table({"x-tick-spread": {"window": 4}})
    ticks: list[Tick] = [*[("A", 0.5)] * 5, ("A", 25.0), ("A", 25.5), ("B", 99.0)]
    ruling = rules.judge(rows_of(ticks))
    assert not ruling.held
    assert flagged(ruling.flags.tolist()) == [6]
    assert ruling.flagged == {"TICK_SPREAD": 1}


@given(ticks=TICKS, piece=st.integers(1, 9))
def test_the_causal_form_knows_the_quotes_before_and_no_others(
    ticks: list[Tick], piece: int
) -> None:
    before: dict[str, list[float]] = {"A": [], "B": []}
    expected = []
    for row, (symbol, spread) in enumerate(ticks):
        if spread is None or spread < 0:
            continue
        window = before[symbol][-5:]
        if len(window) == 5 and median(window) > 0 and spread > 3 * median(window):
            expected.append(row)
        before[symbol].append(spread)
    rules = table({"x-tick-spread": {"window": 5, "times": 3}})
    assert flagged(rules.verdicts_in_pieces(rows_of(ticks), piece).flags) == expected


@given(ticks=TICKS)
def test_the_centred_form_knows_the_median_of_the_whole_day(ticks: list[Tick]) -> None:
    # 8,000 s between rows: a day holds eleven of them.
    rows = rows_of(ticks, step=8_000.0)
    days: dict[tuple[str, int], list[float]] = {}
    for row, (symbol, spread) in enumerate(ticks):
        if spread is not None and spread >= 0:
            days.setdefault((symbol, at(row * 8_000) // 86_400_000_000_000), []).append(spread)
    expected = [
        row
        for row, (symbol, spread) in enumerate(ticks)
        if spread is not None
        and spread >= 0
        and (usual := median(days[symbol, at(row * 8_000) // 86_400_000_000_000])) > 0
        and spread > 3 * usual
    ]
    rules = table({"x-tick-spread": {"window": 5, "times": 3}})
    assert flagged(rules.judge_whole(rows).flags.tolist()) == expected
