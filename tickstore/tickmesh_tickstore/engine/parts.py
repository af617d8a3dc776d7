"""The stored rows of a dataset as an immutable sequence of parts in arrival order."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tickmesh_tickstore.domain.positions import START, Position
from tickmesh_tickstore.engine.chunk import Chunk, TimeSpan, append_chunk, join_spans

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    def time_span(self) -> TimeSpan | None:
        """Least and greatest event time in ns, `None` without any."""
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
    """

    revision: int
    sealed: tuple[Part, ...] = ()
    recent: tuple[Part, ...] = ()
    row_count: int = 0

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
        return DatasetState(chunk.last_revision, self.sealed, recent, rows)

    def with_part(self, part: Part) -> DatasetState:
        """The state after a whole part arrived under one revision."""
        rows = self.row_count + part.row_count
        return DatasetState(part.last_revision, self.sealed, (*self.recent, part), rows)

    def at_revision(self, revision: int) -> DatasetState:
        """The state after a change without rows."""
        return DatasetState(revision, self.sealed, self.recent, self.row_count)

    def with_sealed(self, log_number: int, parts: Sequence[Part]) -> DatasetState:
        """The state after a log's rows moved into other parts; no row changes its place."""
        recent = tuple(part for part in self.recent if part.log_number > log_number)
        return DatasetState(self.revision, (*self.sealed, *parts), recent, self.row_count)

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
