"""Which neighbouring segments are settled together, and when. Pure: parts in, some of them out.

A segment is *settled for good* once it is Parquet and holds at least half of a full segment's rows.
What is not is taken together with its neighbours: as soon as they fill a segment, when there are
many of them, or because somebody asks. Small ones are merged with those of about their size, so
that a row is written again only a few times however small the appends are.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from tickmesh_tickstore.engine.disk.segment import Tier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tickmesh_tickstore.engine.disk.segment import SegmentPart

__all__ = ["next_to_settle"]

_MANY = 16
_MOST_TOGETHER = 1_024


def next_to_settle(
    parts: Sequence[SegmentPart],
    *,
    full_rows: int,
    is_ripe: Callable[[SegmentPart], bool],
    at_once: bool = False,
) -> Sequence[SegmentPart]:
    """The neighbours to settle next, oldest first; none when all is well.

    Args:
        parts: A dataset's segments in order of arrival.
        full_rows: Rows of a full segment.
        is_ripe: Whether a segment may be settled already.
        at_once: Settle all that is ripe, however little it is.
    """
    for run in _open_runs(parts, full_rows=full_rows, is_ripe=is_ripe):
        rows = 0
        for count, part in enumerate(run[:_MOST_TOGETHER], start=1):
            rows += part.row_count
            if rows >= full_rows:
                return run[:count]
        if at_once and (len(run) > 1 or run[0].record.tier is Tier.RECENT):
            return run[:_MOST_TOGETHER]
        if len(run) >= _MANY:
            return _alike(run)
    return ()


def _open_runs(
    parts: Sequence[SegmentPart], *, full_rows: int, is_ripe: Callable[[SegmentPart], bool]
) -> Iterator[Sequence[SegmentPart]]:
    """Neighbours of one schema version that are ripe and not settled for good."""

    def key(part: SegmentPart) -> tuple[object, bool]:
        done = part.record.tier is Tier.SETTLED and part.row_count * 2 >= full_rows
        return part.record.stamp, not done and is_ripe(part)

    for (_, is_open), run in groupby(parts, key):
        if is_open:
            yield list(run)


def _alike(run: Sequence[SegmentPart]) -> Sequence[SegmentPart]:
    """The newest segments, each no larger than all behind it together."""
    start = len(run) - 1
    rows = run[start].row_count
    while start and (run[start - 1].row_count <= rows or len(run) - start < _MANY // 2):
        start -= 1
        rows += run[start].row_count
    return run[start:][:_MOST_TOGETHER]
