"""A feed as a source: a receiver fills its spool, and only what is durable there is read."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from tickmesh_cleaner.domain.errors import FeedRefusedError
from tickmesh_cleaner.domain.identity import MOST_RECORDS
from tickmesh_cleaner.domain.job_source import SourceIdentity
from tickmesh_cleaner.sources.source import QUIET_SECONDS, Quiet, ReadProgress, SourceBatch
from tickmesh_cleaner.spool import SpoolDamagedError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from tickmesh_cleaner.spool import Spool


class Cutter(Protocol):
    """Cuts what a spool holds into batches; positions are its own."""

    def cut(
        self, spool: Spool, *, start: str | None, end: str | None, batch_records: int
    ) -> Generator[SourceBatch, None, None]:
        """Batches from a position to another; see `Source.read`."""
        ...

    def offset_of(self, position: str) -> int:
        """The spool's offset that a position belongs to."""
        ...


class Receiving(Protocol):
    """A receiver at work."""

    @property
    def ended(self) -> bool:
        """Whether it will bring nothing more."""
        ...

    @property
    def waiting(self) -> str:
        """Why nothing comes; empty while all is well."""
        ...

    def raise_failure(self) -> None:
        """Raise what it failed by, if it did."""
        ...

    def stop(self) -> None:
        """Stop it, and wait until it has put away what it had."""
        ...


class FeedRecords:
    """The records of one feed job. The feed is read while `follow` is."""

    replayable = True

    def __init__(
        self,
        job_id: str,
        *,
        name: str,
        spool: Spool,
        cutter: Cutter,
        receive: Callable[[], Receiving],
    ) -> None:
        """Name the parts; nothing is received yet.

        Args:
            job_id: The job: what it received is a source of its own.
            name: What reports call the feed.
            spool: Where what it brings is kept.
            cutter: Cuts it into records.
            receive: Starts to receive.
        """
        self.name = name
        self._job_id = job_id
        self._spool = spool
        self._cutter = cutter
        self._receive = receive

    def identify(self) -> SourceIdentity:
        """What one job received is its own: no two jobs share a producer."""
        digest = hashlib.sha256(f"feed {self._job_id}".encode()).hexdigest()
        return SourceIdentity(digest=digest, signature="", size_bytes=0)

    def verify(self, identity: SourceIdentity) -> None:
        """A spool only grows."""

    def progress(self, position: str) -> ReadProgress:
        """Bytes of the spool read, of those received."""
        return ReadProgress(self._cutter.offset_of(position), self._spool.end)

    def read(
        self, *, start: str | None, end: str | None, batch_records: int = MOST_RECORDS
    ) -> Generator[SourceBatch, None, None]:
        """What was received by now; see `Source.read`."""
        if start is not None and self._cutter.offset_of(start) > self._spool.durable:
            raise self._lost(self._spool.durable)
        cut = self._cutter.cut(self._spool, start=start, end=end, batch_records=batch_records)
        try:
            with closing(cut):
                yield from cut
        except SpoolDamagedError as error:
            raise self._lost(error.offset) from error

    def follow(self, *, start: str | None) -> Generator[SourceBatch | Quiet, None, None]:
        """What was received and what comes; see `LiveSource.follow`."""
        position = start
        receiving = self._receive()
        try:
            while True:
                # Looked at first: what came before the end is read after it.
                ended, held = receiving.ended, self._spool.durable
                came = False
                for batch in self.read(start=position, end=None):
                    came, position = True, batch.end
                    yield batch
                if came:
                    continue
                if ended and held == self._spool.durable:
                    receiving.raise_failure()
                    return
                # What comes in quick succession is gathered by who reads: no Quiet in between.
                if not ended and self._spool.wait_beyond(held, timeout_seconds=QUIET_SECONDS):
                    continue
                yield Quiet(receiving.waiting)
        finally:
            receiving.stop()

    def committed(self, position: str) -> None:
        """Free the part of the spool that will not be read again."""
        self._spool.drop_before(self._cutter.offset_of(position))

    def _lost(self, offset: int) -> FeedRefusedError:
        return FeedRefusedError(
            self.name,
            cause=f"the spool lost what was received from offset {offset} on; restore the "
            "cleaner's data directory, or make a new job",
        )
