"""Makes a job of every put stream, and keeps those that are open."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh_cleaner.domain.errors import ProducerFencedError
from tickmesh_cleaner.puts.live_put import LivePut
from tickmesh_cleaner.puts.position import PutPosition
from tickmesh_cleaner.puts.spool import PutSpool

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh_cleaner.store.ledger import Ledger


@dataclass(frozen=True, slots=True)
class PutOrder:
    """What a sender wants done with its rows.

    Attributes:
        subject: The subject to judge under.
        producer_id: Names the sender across streams; empty for a stream that stands for itself.
        schema_version: The version to judge under; the one in force when 0.
        source_spec: The source spec, TOML; empty when names are the schema's.
    """

    subject: str
    producer_id: str = ""
    schema_version: int = 0
    source_spec: str = ""


class PutStreams:
    """The open streams of this process, and the spools of their producers."""

    def __init__(self, directory: Path, ledger: Ledger) -> None:
        """Open the spool, before any job runs; what no open intent names is dropped.

        Args:
            directory: Where spools lie; created when missing.
            ledger: Knows which batches are still to be carried out.
        """
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._lock = threading.Lock()
        self._by_job: dict[str, LivePut] = {}
        self._by_producer: dict[str, LivePut] = {}
        for of_producer in directory.iterdir():
            self._sweep(of_producer, ledger)

    def spool(self, producer: str) -> PutSpool:
        """The spool of a producer, by its id in the ledger."""
        return PutSpool(self._directory / producer)

    def open(self, *, job_id: str, producer: str, producer_id: str) -> LivePut:
        """Open a stream; an older one of the same producer is ended.

        Args:
            job_id: The job that keeps its account.
            producer: The producer's id in the ledger.
            producer_id: As its sender named it.
        """
        live = LivePut(job_id=job_id, producer_id=producer_id, spool=self.spool(producer))
        with self._lock:
            older = self._by_producer.get(producer)
            self._by_job[job_id] = self._by_producer[producer] = live
        if older is not None:
            older.fail(ProducerFencedError(producer_id))
        return live

    def live(self, job_id: str) -> LivePut | None:
        """The open stream of a job."""
        with self._lock:
            return self._by_job.get(job_id)

    def close(self, live: LivePut) -> None:
        """Forget a stream that has ended."""
        with self._lock:
            self._by_job.pop(live.job_id, None)
            for producer in [name for name, one in self._by_producer.items() if one is live]:
                del self._by_producer[producer]

    def held_bytes(self) -> int:
        """The bytes of all spools."""
        return sum(PutSpool(one).size_bytes() for one in self._directory.iterdir())

    def _sweep(self, directory: Path, ledger: Ledger) -> None:
        for unfinished in directory.glob("*.unfinished"):
            unfinished.unlink()
        state = ledger.state(directory.name)
        first = PutPosition.parse(state.open[0].start if state.open else state.end)
        end = PutPosition.parse(state.end)
        upto = end.sequence + (1 if end.row else 0) if state.open else first.sequence
        PutSpool(directory).keep_between(first.sequence, upto)
        if not any(directory.iterdir()):
            directory.rmdir()
