"""x-tick-mid-deviation: a mid-quote far from the median of its neighbours."""

from __future__ import annotations

import math
from statistics import median

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cleaner.rules.tables import table

MIDS = st.one_of(st.none(), st.integers(400, 412).map(lambda quarters: quarters / 4))
TICKS = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.one_of(MIDS, st.just(150.0))),
    min_size=25,
    max_size=60,
)
Tick = tuple[str, float | None]


def rows_of(ticks: list[Tick]) -> list[dict[str, object]]:
    return [
        {
            "symbol": symbol,
            "bid": None if mid is None else mid - 0.5,
            "ask": None if mid is None else mid + 0.5,
        }
        for symbol, mid in ticks
    ]


def is_far(mid: float, window: list[float], *, times: float, floor: float) -> bool:
    middle = median(window)
    deviation = math.fsum(abs(each - middle) for each in window) / len(window)
    return abs(mid - middle) > max(times * deviation, floor)


def flagged(flags: tuple[int, ...] | list[int]) -> list[int]:
    return [row for row, bits in enumerate(flags) if bits]


def test_a_mid_far_from_the_last_quotes_is_flagged_until_its_level_is_the_usual_one() -> None:
    rules = table({"x-tick-mid-deviation": {"window": 10, "floor": 0.5}})
    calm = [100.0, 100.25] * 6
    ruling = rules.judge(rows_of([("A", mid) for mid in [*calm, 120.0, *calm]]))
    assert flagged(ruling.flags.tolist()) == [12]
    jump = rules.judge(rows_of([("A", mid) for mid in [*calm, *[120.0] * 12]]))
    assert flagged(jump.flags.tolist())[0] == 12
    assert jump.flags[-1] == 0


@given(ticks=TICKS, piece=st.integers(1, 9), floor=st.sampled_from([0, 1]))
def test_the_causal_form_knows_the_quotes_before_and_no_others(
    ticks: list[Tick], piece: int, floor: float
) -> None:
    before: dict[str, list[float]] = {"A": [], "B": []}
    expected = []
    for row, (symbol, mid) in enumerate(ticks):
        if mid is None:
            continue
        window = before[symbol][-8:]
        if len(window) == 8 and is_far(mid, window, times=2, floor=floor):
            expected.append(row)
        before[symbol].append(mid)
    rules = table({"x-tick-mid-deviation": {"window": 8, "times": 2, "floor": floor}})
    assert flagged(rules.verdicts_in_pieces(rows_of(ticks), piece).flags) == expected


@given(ticks=TICKS)
def test_the_centred_form_looks_at_as_many_quotes_after_as_before(ticks: list[Tick]) -> None:
    rules = table({"x-tick-mid-deviation": {"window": 8, "times": 2}})
    expected = []
    for symbol in "AB":
        rows = [row for row, (own, mid) in enumerate(ticks) if own == symbol and mid is not None]
        mids = [ticks[row][1] for row in rows]
        for place, row in enumerate(rows):
            begin = min(max(place - 4, 0), max(len(rows) - 9, 0))
            window = [*mids[begin:place], *mids[place + 1 : begin + 9]]
            mid = mids[place]
            assert mid is not None
            known = [each for each in window if each is not None]
            if len(known) == 8 and is_far(mid, known, times=2, floor=0):
                expected.append(row)
    assert flagged(rules.judge_whole(rows_of(ticks)).flags.tolist()) == sorted(expected)


def test_what_the_bounds_prove_changes_no_verdict_on_a_long_walk() -> None:
    chance = np.random.default_rng(3)
    mids = np.round(100 + np.cumsum(chance.normal(0, 0.02, 4_000)), 2)
    mids[chance.integers(0, 4_000, 40)] += chance.normal(0, 1, 40)
    rules = table({"x-tick-mid-deviation": {"window": 50}})
    found = rules.judge(rows_of([("A", mid) for mid in mids.tolist()]))
    # The quotes that rows_of makes have these mids.
    own = (mids - 0.5 + (mids + 0.5)) * 0.5
    windows = np.lib.stride_tricks.sliding_window_view(own, 50)[:-1]
    middles = np.median(windows, axis=1)
    deviations = np.abs(windows - middles[:, np.newaxis]).mean(axis=1)
    far = np.abs(own[50:] - middles) > 10 * deviations
    assert 5 < far.sum() < 400
    assert flagged(found.flags.tolist()) == (np.flatnonzero(far) + 50).tolist()
