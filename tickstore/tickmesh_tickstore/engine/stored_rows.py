"""Stored rows as readers see them: what is known without reading them, and how to read them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tickmesh_tickstore.domain.positions import Position

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pyarrow as pa
    import pyarrow.compute as pc

    from tickmesh_tickstore.domain.stamps import Origin, Stamp
    from tickmesh_tickstore.engine.chunk import Runs, TimeSpan
    from tickmesh_tickstore.engine.messages import Messages

__all__ = ["FoundRows", "StoredRows"]


@dataclass(frozen=True, slots=True)
class FoundRows:
    """Rows as they were read.

    Attributes:
        batch: The rows, in order of arrival.
        places: Which of the stored rows they are, ascending; `None` when they are all of them.
    """

    batch: pa.RecordBatch
    places: pa.Array[Any] | None


class StoredRows(ABC):
    """Consecutive rows of one schema version, in memory or to be read; what is known of them.

    Whatever is asked here but `read` costs no reading of rows.
    """

    __slots__ = ()

    stamp: Stamp
    """The schema version they were judged against."""

    time_span: TimeSpan | None
    """Least and greatest event time in ns, `None` when unknown."""

    first_row: int
    """Rows of the first revision which lie in front of these."""

    runs: Runs
    """Their dataset revisions and ingest times."""

    messages: Messages
    """The producer messages they were sent in."""

    @property
    @abstractmethod
    def row_count(self) -> int:
        """How many there are: one or more."""

    @property
    @abstractmethod
    def byte_count(self) -> int:
        """Bytes they take in memory, about."""

    @abstractmethod
    def rows(self, start: int, stop: int) -> StoredRows | None:
        """Rows `start` to `stop`, without reading them; `None` when there are none."""

    @abstractmethod
    def read(
        self, columns: Sequence[str] | None = None, *, where: pc.Expression | None = None
    ) -> FoundRows:
        """Read the rows, in order of arrival.

        Args:
            columns: Only these, in this order; `None` for all.
            where: A condition on columns of the rows' own schema. Rows for which it is not true
                may be left out, and need not be: it saves reading them.

        Raises:
            DatasetDamagedError: They cannot be read any more.
        """

    @abstractmethod
    def origins(self) -> Sequence[tuple[int, Origin]]:
        """Who wrote them: rows up to the end of each one's, ascending."""

    @property
    def is_read_whole(self) -> bool:
        """Whether reading a part of them costs as much as reading all."""
        return False

    def may_have(self, symbols: Collection[str]) -> bool:  # noqa: ARG002  # not every kind knows
        """Whether rows of one of some symbols can be among them."""
        return True

    @property
    def first_position(self) -> Position:
        """The cut before the first row."""
        return Position(self.runs.revisions[0], self.first_row)

    @property
    def last_revision(self) -> int:
        """Dataset revision of the last row."""
        return self.runs.revisions[-1]

    def end_position(self) -> Position:
        """The cut behind the last row."""
        runs = self.runs
        if len(runs.revisions) == 1:
            return Position(runs.revisions[0], self.first_row + runs.row_ends[0])
        return Position(runs.revisions[-1], runs.row_ends[-1] - runs.row_ends[-2])

    def position_at(self, row: int) -> Position:
        """The cut before one of the rows."""
        ends = self.runs.row_ends
        index = bisect_left(ends, row + 1)
        begins = ends[index - 1] if index else 0
        return Position(
            self.runs.revisions[index], row - begins + (self.first_row if index == 0 else 0)
        )

    def rows_before(self, cut: Position) -> int:
        """How many of the rows lie before a cut."""
        runs = self.runs
        index = bisect_left(runs.revisions, cut.revision)
        before = runs.row_ends[index - 1] if index else 0
        if index < len(runs.revisions) and runs.revisions[index] == cut.revision:
            skipped = self.first_row if index == 0 else 0
            rows = runs.row_ends[index] - before
            before += min(max(cut.row - skipped, 0), rows)
        return before

    def between(self, after: Position, through: Position) -> StoredRows | None:
        """The rows between two cuts, without reading them; `None` when there are none."""
        return self.rows(self.rows_before(after), self.rows_before(through))
