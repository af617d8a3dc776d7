"""What a dataset's writer hands to storage: entries, one dataset revision each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from tickmesh_tickstore.domain.producers import ProducerLedger, SequenceRun
    from tickmesh_tickstore.domain.stamps import Origin
    from tickmesh_tickstore.engine.chunk import TimeSpan
    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.dropped import Trim
    from tickmesh_tickstore.engine.messages import Messages
    from tickmesh_tickstore.engine.parts import Part

__all__ = [
    "Entry",
    "Journal",
    "PartEntry",
    "ProducerEntry",
    "RowsEntry",
    "StagedPart",
    "TrimEntry",
]


@dataclass(frozen=True, slots=True)
class RowsEntry:
    """Rows of one commit group, one schema version and one origin.

    Attributes:
        revision: The dataset revision they get.
        ingest_time_ns: ns since the epoch.
        layout: Their schema version.
        origin: Who wrote them.
        sequences: The producer sequences they were sent under.
        messages: Which rows came in which message.
        time_span: Least and greatest event time in ns, `None` without any.
        batch: The rows, possibly none.
    """

    revision: int
    ingest_time_ns: int
    layout: RowLayout
    origin: Origin
    sequences: tuple[SequenceRun, ...]
    messages: Messages
    time_span: TimeSpan | None
    batch: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class ProducerEntry:
    """A producer epoch that was opened."""

    revision: int
    ingest_time_ns: int
    producer_id: str
    epoch: int


class StagedPart(Protocol):
    """All rows of an atomic upload, complete, synced and ready to become visible."""

    @property
    def row_count(self) -> int:
        """Its rows."""
        ...

    def place(self, *, revision: int, ingest_time_ns: int, log_number: int) -> Part:
        """The part these rows become under a dataset revision."""
        ...

    def discard(self) -> None:
        """Forget the rows."""
        ...


@dataclass(frozen=True, slots=True)
class PartEntry:
    """An atomic upload that becomes visible (T3)."""

    revision: int
    ingest_time_ns: int
    layout: RowLayout
    origin: Origin
    sequences: tuple[SequenceRun, ...]
    staged: StagedPart


@dataclass(frozen=True, slots=True)
class TrimEntry:
    """Sealed parts that retention drops (T7)."""

    trim: Trim

    @property
    def revision(self) -> int:
        """The dataset revision that does not show them any more."""
        return self.trim.revision


Entry = RowsEntry | ProducerEntry | PartEntry | TrimEntry


class Journal(Protocol):
    """The write-ahead log of one dataset, used by its writer thread alone."""

    @property
    def log_number(self) -> int:
        """Number of the log that `write` writes to."""
        ...

    def write(self, entries: Sequence[Entry]) -> None:
        """Write entries in order.

        Raises:
            DiskFullError: None of them is written; the journal goes on.
            StoreFailedError: Unknown how much is written; the journal takes nothing more.
        """
        ...

    def sync(self) -> None:
        """Bring what was written onto stable storage.

        Raises:
            StoreFailedError: Unknown what is on stable storage; the journal takes nothing more.
        """
        ...

    def is_full(self) -> bool:
        """Whether it is time to begin a new log; waits while too many are not sealed yet."""
        ...

    def begin_log(self, *, revision: int, ledger: ProducerLedger) -> None:
        """Begin a new log, and let the rows of the old one move to segments.

        Raises:
            DiskFullError: No new log could be begun; the present one goes on.
            StoreFailedError: The journal takes nothing more.
        """
        ...

    def close(self) -> None:
        """Release what is open. Everything synced stays."""
        ...
