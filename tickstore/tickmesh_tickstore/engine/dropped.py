"""Rows that retention dropped: shown as of older revisions until their files are gone (T7)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.errors import SnapshotGoneError
from tickmesh_tickstore.domain.positions import START, Position

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from tickmesh_tickstore.engine.parts import Part

__all__ = [
    "NOTHING_DROPPED",
    "DroppedPart",
    "DroppedRows",
    "GoneRange",
    "Trim",
    "expired_parts",
    "is_older",
    "joined_ranges",
]


@dataclass(frozen=True, slots=True)
class Trim:
    """One act of retention.

    Attributes:
        revision: The dataset revision from which on the rows are not shown.
        dropped_at_ns: When, ns since the epoch.
        kept_from: The cut before the first row that is kept; every row of its revision and of
            those before it is dropped.
    """

    revision: int
    dropped_at_ns: int
    kept_from: Position

    def drops(self, part: Part) -> bool:
        """Whether a part's rows are dropped; a revision is dropped whole or not at all."""
        return part.last_revision <= self.kept_from.revision


@dataclass(frozen=True, slots=True, eq=False)
class DroppedPart:
    """A part that reads as of revisions before `dropped_at_revision` still see."""

    part: Part
    dropped_at_revision: int
    dropped_at_ns: int

    def is_shown_at(self, revision: int) -> bool:
        """Whether a read as of a revision sees rows of it."""
        return self.part.first_revision <= revision < self.dropped_at_revision


@dataclass(frozen=True, slots=True)
class GoneRange:
    """Revisions that show rows which are gone: they can no longer be read as of.

    Attributes:
        first_revision: The first of them.
        last_revision: Revision of the last row that is gone.
        dropped_at_revision: The first revision that does not show the rows.
    """

    first_revision: int
    last_revision: int
    dropped_at_revision: int


@dataclass(frozen=True, slots=True)
class DroppedRows:
    """Everything retention ever dropped of a dataset, as far as it matters still.

    Attributes:
        parts: What is still on disk, in arrival order.
        gone: What is not, as disjoint ranges, ascending.
        kept_from: The cut before the first row that is kept.
    """

    parts: tuple[DroppedPart, ...] = ()
    gone: tuple[GoneRange, ...] = ()
    kept_from: Position = START

    @property
    def first_kept_revision(self) -> int:
        """The dataset revision from which on rows are kept; 0 while nothing was dropped."""
        return 0 if self.kept_from == START else self.kept_from.revision + 1

    def with_dropped(self, trim: Trim, parts: Iterable[Part]) -> DroppedRows:
        """What is dropped after one more act of retention."""
        dropped = (DroppedPart(part, trim.revision, trim.dropped_at_ns) for part in parts)
        return replace(self, parts=(*self.parts, *dropped), kept_from=trim.kept_from)

    def without(self, gone: Collection[DroppedPart]) -> DroppedRows:
        """What is dropped after the files of some parts went."""
        ranges = [
            GoneRange(each.part.first_revision, each.part.last_revision, each.dropped_at_revision)
            for each in gone
        ]
        left = tuple(each for each in self.parts if each not in gone)
        return replace(self, parts=left, gone=joined_ranges([*self.gone, *ranges]))

    def shown_at(self, revision: int) -> tuple[Part, ...]:
        """The dropped parts that a read as of a revision sees.

        Raises:
            SnapshotGoneError: Rows that it shows are gone.
        """
        for gone in self.gone:
            if gone.first_revision <= revision < gone.dropped_at_revision:
                raise SnapshotGoneError(
                    f"rows of revision {revision} were dropped by retention: read as of revision "
                    f"{gone.dropped_at_revision} or later, and name snapshots of what is to stay",
                    metadata={"asked": str(revision), "oldest": str(gone.dropped_at_revision)},
                )
        return tuple(each.part for each in self.parts if each.is_shown_at(revision))

    def kept_from_at(self, revision: int) -> Position:
        """The cut before the first row that a read as of a revision may see."""
        dropped = [(each.dropped_at_revision, each.part.last_revision) for each in self.parts]
        dropped += [(each.dropped_at_revision, each.last_revision) for each in self.gone]
        if all(dropped_at <= revision for dropped_at, _ in dropped):
            return self.kept_from
        before = [last for dropped_at, last in dropped if dropped_at <= revision]
        return Position.after_revision(max(before)) if before else START

    def reclaimable(
        self, *, dropped_before_ns: int, pinned: Sequence[int]
    ) -> tuple[DroppedPart, ...]:
        """The parts that were dropped before an instant and that no pinned revision shows."""
        return tuple(
            each
            for each in self.parts
            if each.dropped_at_ns <= dropped_before_ns and not any(map(each.is_shown_at, pinned))
        )


NOTHING_DROPPED = DroppedRows()


def joined_ranges(ranges: Iterable[GoneRange]) -> tuple[GoneRange, ...]:
    """The ranges with those joined that overlap or touch, ascending."""
    joined: list[GoneRange] = []
    for each in sorted(ranges, key=lambda gone: gone.first_revision):
        last = joined[-1] if joined else None
        if last is not None and each.first_revision <= last.dropped_at_revision:
            joined[-1] = GoneRange(
                last.first_revision,
                max(last.last_revision, each.last_revision),
                max(last.dropped_at_revision, each.dropped_at_revision),
            )
        else:
            joined.append(each)
    return tuple(joined)


def is_older(part: Part, oldest_ns: int) -> bool:
    """Whether every row of a part is older than an instant.

    Rows are as old as their event times say, and at least as old as their ingest: a tick with a
    time in the future is not kept until then.
    """
    if part.time_span is not None and part.time_span[1] < oldest_ns:
        return True
    return part.chunks()[-1].runs.ingest_times[-1] < oldest_ns


def expired_parts(
    parts: Sequence[Part], *, is_expired: Callable[[Part], bool], surplus_bytes: int
) -> list[Part]:
    """The longest run of oldest parts of which each is expired or over the bytes that may stay.

    It ends between two revisions.
    """
    chosen = 0
    for place, part in enumerate(parts):
        if surplus_bytes <= 0 and not is_expired(part):
            break
        surplus_bytes -= part.byte_count
        following = parts[place + 1] if place + 1 < len(parts) else None
        if following is None or following.first_revision > part.last_revision:
            chosen = place + 1
    return list(parts[:chosen])
