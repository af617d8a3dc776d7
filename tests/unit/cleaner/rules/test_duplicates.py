"""x-tick-duplicates: a row that came before within a window, by id or as a whole."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cleaner.rules.tables import Verdicts, at, table
from tickmesh_cleaner.rules.hashing import column_hashes

TICKS = st.lists(
    st.tuples(st.sampled_from(["A", "B"]), st.integers(0, 4), st.sampled_from([1.0, 2.5, None])),
    max_size=40,
)
Tick = tuple[str, int, float | None]


def rows_of(ticks: list[Tick]) -> list[dict[str, object]]:
    return [{"symbol": symbol, "id": id_, "price": price} for symbol, id_, price in ticks]


def one_by_one(ticks: list[Tick], *, by_id: bool, window: int) -> tuple[list[int], list[int]]:
    """The rows that repeat the latest of their key within the window, and those that differ."""
    same: list[int] = []
    other: list[int] = []
    for row, tick in enumerate(ticks):
        earlier = [
            before
            for before in range(max(0, row - window), row)
            if (ticks[before][:2] == tick[:2] if by_id else ticks[before] == tick)
        ]
        if earlier:
            (same if ticks[earlier[-1]] == tick else other).append(row)
    return same, other


def test_a_repeated_row_is_left_out_and_a_changed_one_of_the_same_id_is_held_back() -> None:
    rules = table({"x-tick-duplicates": {"by": ["symbol", "id"]}})
    ticks: list[Tick] = [("A", 1, 1.0), ("B", 1, 1.0), ("A", 1, 1.0), ("A", 1, 2.5)]
    ruling = rules.judge(rows_of(ticks))
    assert ruling.dropped == [2]
    (reason,) = ruling.held[3]
    assert reason.code == "TICK_CONFLICT"
    assert reason.message == "a row with this symbol, id but other values came 1 rows before"


@given(ticks=TICKS, piece=st.integers(1, 9), window=st.integers(1, 12))
def test_it_finds_what_looking_row_by_row_finds_however_the_rows_are_cut(
    ticks: list[Tick], piece: int, window: int
) -> None:
    whole = table({"x-tick-duplicates": {"within_rows": window}})
    same, _ = one_by_one(ticks, by_id=False, window=window)
    assert whole.verdicts_in_pieces(rows_of(ticks), piece) == Verdicts(
        {}, tuple(same), (0,) * len(ticks)
    )
    by_id = table({"x-tick-duplicates": {"by": ["symbol", "id"], "within_rows": window}})
    same, other = one_by_one(ticks, by_id=True, window=window)
    found = by_id.verdicts_in_pieces(rows_of(ticks), piece)
    assert found.dropped == tuple(same)
    assert found.held == dict.fromkeys(other, ("TICK_CONFLICT",))


def test_beyond_the_seconds_of_its_window_a_repeated_row_is_another_tick() -> None:
    rules = table({"x-tick-duplicates": {"by": ["id"], "within_seconds": 5, "severity": "flag"}})
    rows = [{"ts": at(seconds), "id": 7} for seconds in (0, 0, 4, 9.5)]
    ruling = rules.judge(rows)
    assert ruling.flagged == {"TICK_DUPLICATE": 1, "TICK_CONFLICT": 1}
    assert ruling.flags[3] == 0


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2, None, 1, None], pa.int16()),
        pa.array([0.0, 2.5, None, -0.0, None]),
        pa.array(["a", "", None, "a", None]),
        pa.array(["a", "b", None, "a", None]).dictionary_encode(),
        pa.array([True, False, None, True, None]),
        pa.array([1, 2, None, 1, None], pa.decimal128(30, 2)),
        pa.array([[1], [2, 3], None, [1], None]),
        pa.array([{"x": 1}, {"x": None}, None, {"x": 1}, None]),
    ],
    ids=lambda column: str(column.type),
)
def test_equal_values_and_they_alone_share_a_hash(column: pa.Array[Any]) -> None:
    for offset in (0, 1):
        # A slice has buffers that begin before it.
        shifted = pa.concat_arrays([column[:offset], column])[offset:]
        hashes = column_hashes(shifted).tolist()
        assert hashes[0] == hashes[3]
        assert hashes[2] == hashes[4]
        assert len({hashes[0], hashes[1], hashes[2]}) == 3


@given(st.lists(st.text(max_size=6), min_size=1, max_size=30, unique=True))
def test_different_texts_have_different_hashes(texts: list[str]) -> None:
    assert len(set(column_hashes(pa.array(texts)).tolist())) == len(texts)
