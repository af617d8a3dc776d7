"""Which segments are settled together: full ones at once, small ones seldom and never for ever."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.support.ticks import VERSION_1, VERSION_2
from tickmesh_tickstore.engine.disk.segment import (
    SegmentCache,
    SegmentPart,
    SegmentRecord,
    Tier,
)
from tickmesh_tickstore.engine.disk.settling_policy import next_to_settle

if TYPE_CHECKING:
    from tickmesh_tickstore.domain.stamps import Stamp

FULL = 1_000
CACHE = SegmentCache(limit=1)


def part(
    rows: int, *, tier: Tier = Tier.RECENT, stamp: Stamp = VERSION_1, name: str = ""
) -> SegmentPart:
    record = SegmentRecord(name or "x", 1, stamp, 1, 1, rows, rows, None, tier=tier)
    return SegmentPart(record, Path(record.file_name), CACHE)


def chosen(parts: list[SegmentPart], *, at_once: bool = False) -> list[int]:
    found = next_to_settle(parts, full_rows=FULL, is_ripe=lambda _: True, at_once=at_once)
    return [each.row_count for each in found]


def test_neighbours_that_fill_a_segment_are_settled() -> None:
    assert chosen([part(400), part(400), part(400), part(400)]) == [400, 400, 400]


def test_a_large_segment_is_settled_alone() -> None:
    assert chosen([part(5_000), part(10)]) == [5_000]


def test_few_small_ones_wait_unless_asked_for() -> None:
    assert chosen([part(10), part(20)]) == []
    assert chosen([part(10), part(20)], at_once=True) == [10, 20]


def test_what_is_settled_for_good_stays() -> None:
    done = part(600, tier=Tier.SETTLED)
    assert chosen([done, done], at_once=True) == []
    assert chosen([done, part(10), done], at_once=True) == [10]
    assert chosen([part(10, tier=Tier.SETTLED)], at_once=True) == []


def test_versions_are_never_mixed() -> None:
    parts = [part(10), part(10, stamp=VERSION_2), part(10)]
    assert chosen(parts, at_once=True) == [10]
    assert next_to_settle(parts, full_rows=FULL, is_ripe=lambda _: True, at_once=True) == [parts[0]]


def test_rows_that_just_came_are_left_alone() -> None:
    parts = [part(2_000, name="new"), part(2_000, name="old")]
    found = next_to_settle(
        parts, full_rows=FULL, is_ripe=lambda each: each.record.segment_id == "old"
    )
    assert found == [parts[1]]


@given(st.lists(st.integers(1, 60), min_size=1, max_size=400))
def test_a_row_is_written_again_only_a_few_times_and_segments_stay_few(sizes: list[int]) -> None:
    parts: list[SegmentPart] = []
    written = 0
    for size in sizes:
        parts.append(part(size))
        while found := next_to_settle(parts, full_rows=FULL, is_ripe=lambda _: True):
            start = next(n for n, each in enumerate(parts) if each is found[0])
            rows = sum(each.row_count for each in found)
            written += rows
            parts[start : start + len(found)] = [part(rows, tier=Tier.SETTLED)]
    total = sum(sizes)
    assert sum(each.row_count for each in parts) == total
    assert len(parts) <= 16 + total // (FULL // 2)
    assert written <= 4 * total
