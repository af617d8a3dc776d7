"""x-tick-order: a row is late when an earlier row of its symbol has a larger value."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cleaner.rules.tables import Verdicts, at, table

ROWS = st.lists(
    st.tuples(st.sampled_from(["A", "B", "C", None]), st.one_of(st.none(), st.integers(0, 8))),
    min_size=4,
    max_size=40,
)


def rows_of(ticks: list[tuple[str | None, int | None]]) -> list[dict[str, Any]]:
    return [{"symbol": symbol, "id": value} for symbol, value in ticks]


def late_one_by_one(
    ticks: list[tuple[str | None, int | None]], *, strictly: bool
) -> dict[int, tuple[str, ...]]:
    largest: dict[str | None, int] = {}
    late: dict[int, tuple[str, ...]] = {}
    for row, (symbol, value) in enumerate(ticks):
        if value is None:
            continue
        before = largest.get(symbol)
        if before is not None and (value <= before if strictly else value < before):
            late[row] = ("TICK_ORDER",)
        largest[symbol] = value if before is None else max(before, value)
    return late


def test_a_row_earlier_than_one_before_it_is_refused_with_both_times() -> None:
    rules = table({"x-tick-order": True})
    ruling = rules.judge(
        [
            {"ts": at(1), "symbol": "A"},
            {"ts": at(0), "symbol": "B"},
            {"ts": at(0.5), "symbol": "A"},
            {"ts": at(1), "symbol": "A"},
        ]
    )
    (reason,) = ruling.held[2]
    assert list(ruling.held) == [2]
    assert (reason.code, reason.instance_path, reason.schema_path) == (
        "TICK_ORDER",
        "",
        "/x-tick-order",
    )
    assert reason.message == (
        "2024-03-09 16:00:00.500000000Z comes after 2024-03-09 16:00:01.000000000Z of its symbol"
    )


@given(ticks=ROWS, piece=st.integers(1, 9))
def test_it_finds_what_looking_row_by_row_finds_however_the_rows_are_cut(
    ticks: list[tuple[str | None, int | None]], piece: int
) -> None:
    for equal in ("allow", "refuse"):
        rules = table({"x-tick-order": {"by": "id", "equal": equal}})
        expected = late_one_by_one(ticks, strictly=equal == "refuse")
        assert rules.verdicts_in_pieces(rows_of(ticks), piece).held == expected
        assert Verdicts.of(rules.judge(rows_of(ticks))).held == expected
