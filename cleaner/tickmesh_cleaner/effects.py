"""What becomes of judged batches: intents, effects, commits, on a thread of their own.

Each round of that thread is one local transaction: it commits the batches that the sink has
answered as durable and records the intents of those that were judged meanwhile. Only then do the
effects of the latter begin. So intent comes before effect for each batch, while one synchronisation
of the disk serves several.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tickmesh_cleaner.domain.errors import JobStateError, SinkUnavailableError
from tickmesh_cleaner.domain.intent import Commit, Intent
from tickmesh_cleaner.sources.source import LiveSource
from tickmesh_cleaner.store.ledger import Settled

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.judged import JudgedBatch
    from tickmesh_cleaner.metrics import CleanerMetrics
    from tickmesh_cleaner.progress import Progress
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
    from tickmesh_cleaner.sinks.sink import OpenedProducer, Sink, Written
    from tickmesh_cleaner.sources.source import Source
    from tickmesh_cleaner.store.jobs import JobStore
    from tickmesh_cleaner.store.ledger import Ledger
    from tickmesh_cleaner.waiting import Patience
    from tickmesh_serving.clock import Clock

BATCHES_IN_FLIGHT = 4
"""Batches judged and not committed: what bounds a job's memory and the work a crash repeats."""


@dataclass(slots=True)
class _Flying:
    """A batch that was judged and is not committed."""

    intent: Intent
    judged: JudgedBatch
    schema: RegisteredSchema
    answer: Future[Written]
    recorded: bool
    awaited: bool = False


class Effects:
    """Carries out one job's judged batches in the order they are given."""

    def __init__(
        self,
        job: Job,
        *,
        jobs: JobStore,
        ledger: Ledger,
        source: Source,
        sink: Sink,
        quarantine: QuarantineFiles,
        patience: Patience,
        progress: Progress,
        metrics: CleanerMetrics,
        clock: Clock,
    ) -> None:
        self._job = job
        self._jobs = jobs
        self._ledger = ledger
        self._source = source
        self._sink = sink
        self._quarantine = quarantine
        self._patience = patience
        self._progress = progress
        self._metrics = metrics
        self._clock = clock
        self._epoch = 0
        self._condition = threading.Condition()
        self._given: deque[_Flying] = deque()
        self._in_flight: deque[_Flying] = deque()
        self._failure: BaseException | None = None
        self._abandoned = False
        self._thread = threading.Thread(target=self._run, name=f"effects-{job.id[:8]}", daemon=True)

    def begin(self) -> None:
        """Open the sink, which fences every earlier epoch of the producer, and start.

        Raises:
            JobStateError: The sink holds less of this producer than it had acknowledged.
        """
        self._job = self._jobs.get(self._job.id)
        self._take_up(self._patience.ask(lambda: self._sink.open(self._job.producer_id)))
        self._thread.start()

    def give(
        self, intent: Intent, judged: JudgedBatch, schema: RegisteredSchema, *, recorded: bool
    ) -> None:
        """Hand over the next batch, once there is room for it.

        Args:
            intent: What is about to happen. Its epoch is filled in.
            judged: Its rows.
            schema: What they were judged under.
            recorded: Whether an earlier life of the job wrote the intent.

        Raises:
            BaseException: What made an earlier batch fail.
        """
        flying = _Flying(intent, judged, schema, Future(), recorded)
        with self._condition:
            self._condition.wait_for(self._has_room)
            self._raise_failure()
            self._given.append(flying)
            self._condition.notify_all()
            self._progress.in_flight(len(self._given) + len(self._in_flight))

    def has_room(self, *, within_seconds: float) -> bool:
        """Whether `give` need not wait, or would fail."""
        with self._condition:
            return self._condition.wait_for(self._has_room, within_seconds)

    def drain(self) -> None:
        """Wait until every batch is committed.

        Raises:
            BaseException: What made one of them fail.
        """
        with self._condition:
            self._condition.wait_for(
                lambda: self._failure is not None or not (self._given or self._in_flight)
            )
            self._raise_failure()

    def end(self) -> None:
        """Begin nothing more; what is open stays so in the ledger. Waits for the thread."""
        with self._condition:
            self._abandoned = True
            self._condition.notify_all()
        if self._thread.ident is not None:
            self._thread.join()
        self._sink.close()

    def _has_room(self) -> bool:
        held = len(self._given) + len(self._in_flight)
        return self._failure is not None or held < BATCHES_IN_FLIGHT

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # On the thread ----------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._await_work():
                self._round()
        except BaseException as error:  # noqa: BLE001 - raised again where batches are given
            with self._condition:
                self._failure = error
                self._condition.notify_all()

    def _await_work(self) -> bool:
        """Wait for a batch to begin or to commit; False once the job is given up."""
        while True:
            with self._condition:
                if self._abandoned:
                    return False
                oldest = self._in_flight[0] if self._in_flight else None
                if self._given or (oldest is not None and oldest.answer.done()):
                    return True
                if oldest is None or oldest.awaited:
                    self._condition.wait()
                    continue
                oldest.awaited = True
            # Not under the lock: what is done already calls back at once.
            oldest.answer.add_done_callback(lambda _answer: self._wake())

    def _wake(self) -> None:
        with self._condition:
            self._condition.notify_all()

    def _round(self) -> None:
        """One transaction, then the effects of what it recorded."""
        settled, failure = self._settled()
        refused = failure is not None and not isinstance(failure, SinkUnavailableError)
        with self._condition:
            fresh = [] if refused else list(self._given)
        for flying in fresh:
            if not flying.recorded:
                flying.intent = replace(flying.intent, epoch=self._epoch)
        intents = [flying.intent for flying in fresh if not flying.recorded]
        if settled or intents:
            self._job = self._ledger.advance(
                self._job.id,
                owner=self._job.owner,
                now_ns=self._clock.now_ns(),
                settled=settled,
                intents=intents,
            )
            self._tell(settled)
        with self._condition:
            self._in_flight.extend(fresh)
            for _ in fresh:
                self._given.popleft()
            for _ in settled:
                self._in_flight.popleft()
            self._progress.in_flight(len(self._in_flight))
            self._condition.notify_all()
        for flying in fresh:
            self._quarantine.write(
                job_id=self._job.id,
                n=flying.intent.n,
                held=flying.judged.held,
                repairs=flying.judged.repairs,
            )
        if isinstance(failure, SinkUnavailableError):
            self._send_again(failure)
        elif failure is not None:
            raise failure
        else:
            self._send(fresh)

    def _settled(self) -> tuple[list[Settled], Exception | None]:
        """The oldest batches that are durable, and why the one after them is not."""
        settled: list[Settled] = []
        for flying in self._in_flight:
            if not flying.answer.done():
                break
            try:
                written = flying.answer.result()
            except Exception as error:  # noqa: BLE001 - whatever the sink refuses by
                return settled, error
            settled.append(self._settle(flying, written))
        return settled, None

    def _settle(self, flying: _Flying, written: Written) -> Settled:
        intent, judged = flying.intent, flying.judged
        balance = judged.balance
        if intent.n <= (self._job.stored_before or 0):
            balance = balance.stored_before()
        commit = Commit(
            job_id=self._job.id,
            producer_id=intent.producer_id,
            n=intent.n,
            balance=balance,
            dataset_revision=written.dataset_revision if balance.stored else 0,
            schema_version=intent.schema_version,
            rule_state=judged.rule_state,
        )
        return Settled(commit, intent.end, judged.entered, judged.released, judged.held_again)

    def _tell(self, settled: Iterable[Settled]) -> None:
        for one in settled:
            balance = one.commit.balance
            self._metrics.committed(balance)
            read = self._source.progress(one.end)
            self._progress.committed(rows=balance.rows_in, read=read)
            if isinstance(self._source, LiveSource):
                self._source.committed(one.end)

    def _send(self, batches: Iterable[_Flying]) -> None:
        for flying in batches:
            intent = flying.intent
            flying.awaited = False
            flying.answer = self._sink.write(
                intent.n,
                flying.judged.good,
                schema=flying.schema,
                start=intent.start,
                end=intent.end,
            )

    def _send_again(self, error: SinkUnavailableError) -> None:
        """Open the sink anew and send everything unanswered, in order."""
        opened = self._patience.ask(lambda: self._sink.open(self._job.producer_id), after=error)
        self._take_up(opened)
        self._send(self._in_flight)

    def _take_up(self, opened: OpenedProducer) -> None:
        """Compare what the sink holds of the producer with what the ledger says."""
        self._epoch = opened.epoch
        if self._job.stored_before is None:
            self._job = self._jobs.note_stored_before(
                self._job.id, owner=self._job.owner, sequence=opened.last_n
            )
        committed = self._ledger.state(self._job.producer_id).last_committed_n
        if opened.last_n < committed:
            raise JobStateError(
                f"the sink holds {opened.last_n} batches of this source, {committed} were "
                "acknowledged: it lost data, or is another one. Restore it, or clean the source "
                "again with `again` set",
                jobId=self._job.id,
                held=str(opened.last_n),
                acknowledged=str(committed),
            )
