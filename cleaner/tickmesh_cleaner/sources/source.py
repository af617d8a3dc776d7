"""What the pipeline needs of a source: records in batches, with positions it treats as opaque."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tickmesh_cleaner.domain.identity import MOST_RECORDS

if TYPE_CHECKING:
    from collections.abc import Generator

    from tickmesh.decoding.decoded import DecodedBatch
    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.domain.job_source import SourceIdentity
    from tickmesh_cleaner.domain.quarantine import RowReason


QUIET_SECONDS = 0.25
"""How long a source without end lets its reader wait at most."""


@dataclass(frozen=True, slots=True)
class ReplayedRow:
    """One quarantined row that is read again.

    Attributes:
        row_id: Its id.
        row_in_record: Its place among the rows of its record, or WHOLE_RECORD.
        raw: Its record.
        source: Where the record first came from, in words.
        offset: Its offset there.
        line: Its line there.
        first_seen_ns: When it was first held back.
        reasons: What it is held back for.
    """

    row_id: int
    row_in_record: int
    raw: bytes
    source: str
    offset: int
    line: int
    first_seen_ns: int
    reasons: tuple[RowReason, ...] = ()


@dataclass(frozen=True, slots=True)
class SourceBatch:
    """Consecutive records of a source.

    Attributes:
        start: Where the range begins: opaque to all but the source.
        end: Where it ends, exclusive.
        decoded: The records.
        spec: The source spec they are mapped by.
        file_name: The file name constants are taken from.
        replayed: For quarantined rows read again: one for each record of `decoded`, in order;
            several when one row's bytes now hold several records, which then all belong to it.
    """

    start: str
    end: str
    decoded: DecodedBatch
    spec: SourceSpec
    file_name: str
    replayed: tuple[ReplayedRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadProgress:
    """How far a position is: bytes of the unpacked source read, and in all (0 when unknown)."""

    bytes_read: int
    bytes_total: int


@dataclass(frozen=True, slots=True)
class Quiet:
    """A source without end has nothing for the moment; what came before may be committed.

    Attributes:
        message: Why the job is WAITING; empty when nothing is wrong and nothing came.
    """

    message: str = ""


class Source(Protocol):
    """Where records come from.

    Ranges are cut by the content alone: reading from a start again cuts the same batches.
    """

    @property
    def name(self) -> str:
        """The source in words, without secrets and without directories."""
        ...

    @property
    def replayable(self) -> bool:
        """Whether any range can be read again at any time; what cannot must be spooled first."""
        ...

    def identify(self) -> SourceIdentity:
        """What the source holds now."""
        ...

    def verify(self, identity: SourceIdentity) -> None:
        """Raise SourceChangedError when the source no longer holds what it held."""
        ...

    def read(
        self, *, start: str | None, end: str | None, batch_records: int = MOST_RECORDS
    ) -> Generator[SourceBatch, None, None]:
        """Records from a position (the beginning when None) to another (the end when None).

        Args:
            start: Where to begin: the start or end of a batch it yielded before.
            end: Where to stop.
            batch_records: Most records of a batch; a source may cut to fewer.

        Raises:
            SourceUnreadableError: It cannot be read on; everything before was yielded.
        """
        ...

    def progress(self, position: str) -> ReadProgress:
        """How far a position is."""
        ...


@runtime_checkable
class LiveSource(Source, Protocol):
    """A source that goes on: `read` gives what it holds now, `follow` also what comes."""

    def follow(self, *, start: str | None) -> Generator[SourceBatch | Quiet, None, None]:
        """Records from a position on, and those that come while the generator is open.

        Yields `Quiet` at least every `QUIET_SECONDS`, so that who reads can commit, judge what it
        gathered, and stop. Ends by itself only when nothing will ever come again.

        Args:
            start: Where to begin; at the source's own beginning when None.

        Raises:
            CleanerError: It cannot go on; everything before was yielded.
        """
        ...

    def committed(self, position: str) -> None:
        """Everything before a position is committed and will not be read again."""
        ...
