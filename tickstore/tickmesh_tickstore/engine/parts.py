"""The stored rows of a dataset as an immutable sequence of parts in arrival order."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from tickmesh_tickstore.domain.positions import START, Position
from tickmesh_tickstore.engine.chunk import Chunk, TimeSpan, append_chunk, join_spans
from tickmesh_tickstore.engine.dropped import NOTHING_DROPPED, DroppedRows, Trim

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tickmesh_tickstore.engine.stored_rows import StoredRows

__all__ = ["DatasetState", "Part", "TailPart"]


class Part(Protocol):
    """Some consecutive rows. A segment on disk, staged rows in memory, or a log's tail."""

    @property
    def log_number(self) -> int:
        """The log whose sealing makes the part's place permanent."""
        ...

    @property
    def first_revision(self) -> int:
        """Dataset revision of its first row."""
        ...

    @property
    def last_revision(self) -> int:
        """Dataset revision of its last row."""
        ...

    @property
    def row_count(self) -> int:
        """Its rows."""
        ...

    @property
    def byte_count(self) -> int:
        """Bytes it takes where it is kept."""
        ...

    @property
    def time_span(self) -> TimeSpan | None:
        """Least and greatest event time in ns, `None` without any."""
        ...

    def version_rows(self) -> Mapping[int, int]:
        """Its rows by schema version; no row is read."""
        ...

    def chunks(self) -> Sequence[StoredRows]:
        """Its rows in order of arrival, cut where they are read; nothing is read yet."""
        ...


@dataclass(frozen=True, slots=True)
class TailPart:
    """Rows of one log that are not sealed into a segment yet, held in memory."""

    log_number: int
    held: tuple[Chunk, ...]
    row_count: int
    time_span: TimeSpan | None

    @property
    def first_revision(self) -> int:
        """Dataset revision of the first row."""
        return self.held[0].runs.revisions[0]

    @property
    def last_revision(self) -> int:
        """Dataset revision of the last row."""
        return self.held[-1].last_revision

    @property
    def byte_count(self) -> int:
        """Bytes in memory."""
        return sum(chunk.batch.nbytes for chunk in self.held)

    def version_rows(self) -> Mapping[int, int]:
        """See `Part.version_rows`."""
        counts: Counter[int] = Counter()
        for chunk in self.held:
            counts[chunk.stamp.schema_version] += chunk.row_count
        return counts

    def chunks(self) -> Sequence[Chunk]:
        """The rows."""
        return self.held

    def with_chunk(self, chunk: Chunk) -> TailPart:
        """The tail with one more chunk."""
        rows = self.row_count + chunk.batch.num_rows
        span = join_spans((self.time_span, chunk.time_span))
        return TailPart(self.log_number, append_chunk(self.held, chunk), rows, span)


@dataclass(frozen=True, slots=True)
class DatasetState:
    """What is visible of a dataset: one immutable value, replaced at each commit.

    Attributes:
        revision: The newest dataset revision; every earlier one is visible too.
        sealed: Parts of sealed logs.
        recent: Parts of logs that are not sealed yet, behind the sealed ones.
        row_count: Rows of all parts.
        dropped: What retention dropped; no part of the above.
    """

    revision: int
    sealed: tuple[Part, ...] = ()
    recent: tuple[Part, ...] = ()
    row_count: int = 0
    dropped: DroppedRows = NOTHING_DROPPED

    def with_chunk(self, chunk: Chunk, *, log_number: int) -> DatasetState:
        """The state after rows arrived."""
        last = self.recent[-1] if self.recent else None
        recent: tuple[Part, ...]
        if isinstance(last, TailPart) and last.log_number == log_number:
            recent = (*self.recent[:-1], last.with_chunk(chunk))
        else:
            tail = TailPart(log_number, (chunk,), chunk.batch.num_rows, chunk.time_span)
            recent = (*self.recent, tail)
        rows = self.row_count + chunk.batch.num_rows
        return replace(self, revision=chunk.last_revision, recent=recent, row_count=rows)

    def with_part(self, part: Part) -> DatasetState:
        """The state after a whole part arrived under one revision."""
        rows = self.row_count + part.row_count
        recent = (*self.recent, part)
        return replace(self, revision=part.last_revision, recent=recent, row_count=rows)

    def at_revision(self, revision: int) -> DatasetState:
        """The state after a change without rows."""
        return replace(self, revision=revision)

    def with_sealed(self, log_number: int, parts: Sequence[Part]) -> DatasetState:
        """The state after a log's rows moved into other parts; no row changes its place."""
        recent = tuple(part for part in self.recent if part.log_number > log_number)
        return replace(self, sealed=(*self.sealed, *parts), recent=recent)

    def trimmed(self, trim: Trim) -> DatasetState:
        """The state after retention dropped the oldest sealed parts."""
        gone = [part for part in self.sealed if trim.drops(part)]
        return replace(
            self,
            revision=max(self.revision, trim.revision),
            sealed=self.sealed[len(gone) :],
            row_count=self.row_count - sum(part.row_count for part in gone),
            dropped=self.dropped.with_dropped(trim, gone),
        )

    def as_of(self, revision: int) -> DatasetState:
        """What a read as of a revision sees; rows that came later are among it.

        Raises:
            SnapshotGoneError: Retention dropped rows of it, and they are gone.
        """
        shown = self.dropped.shown_at(revision)
        return replace(self, sealed=(*shown, *self.sealed)) if shown else self

    def holds(self, parts: Sequence[Part]) -> bool:
        """Whether sealed parts are there, one behind the other."""
        return self._place(parts) is not None

    def with_replaced(self, parts: Sequence[Part], replacing: Sequence[Part]) -> DatasetState:
        """The state after the rows of neighbours moved into others; no row changes its place."""
        place = self._place(parts)
        assert place is not None
        behind = self.sealed[place + len(parts) :]
        sealed = (*self.sealed[:place], *replacing, *behind)
        return replace(self, sealed=sealed)

    def _place(self, parts: Sequence[Part]) -> int | None:
        first = parts[0]
        place = next((n for n, part in enumerate(self.sealed) if part is first), None)
        if place is None:
            return None
        found = self.sealed[place : place + len(parts)]
        same = len(found) == len(parts) and all(map(lambda a, b: a is b, found, parts))
        return place if same else None

    def version_rows(self) -> Counter[int]:
        """Rows by schema version."""
        counts: Counter[int] = Counter()
        for part in (*self.sealed, *self.recent):
            counts.update(part.version_rows())
        return counts

    def time_span(self) -> TimeSpan | None:
        """Least and greatest event time stored, in ns."""
        return join_spans(part.time_span for part in (*self.sealed, *self.recent))

    def parts_between(self, after: Position, through: Position) -> Iterator[Part]:
        """The parts that hold rows between two cuts, in arrival order."""
        start = bisect_right(self.sealed, after.revision - 1, key=lambda part: part.last_revision)
        for parts in (self.sealed[start:], self.recent):
            for part in parts:
                if Position(part.first_revision, 0) >= through:
                    return
                if part.last_revision >= after.revision:
                    yield part

    def rows_between(
        self, after: Position = START, through: Position | None = None
    ) -> Iterator[StoredRows]:
        """The rows between two cuts, in arrival order; nothing is read yet."""
        through = through or Position.after_revision(self.revision)
        for part in self.parts_between(after, through):
            for chunk in part.chunks():
                if chunk.last_revision < after.revision:
                    continue
                if chunk.first_position >= through:
                    return
                cut = chunk.between(after, through)
                if cut is not None:
                    yield cut
