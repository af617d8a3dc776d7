"""Exactly once, step by step: intent, effects, one local commit.

For each range of the source, in order:

1. *judge* it under the schema in force;
2. *intent*: one local transaction records what is about to happen;
3. *effects*: the good rows go to the sink as batch n, the bad rows to the quarantine file of
   batch n, synchronised. Both may be repeated;
4. *commit*: once the sink holds batch n durably, one local transaction enters the quarantine
   index, the balance line and the job's account, and closes the intent.

After a crash every open intent is carried out again with its own range, schema and rules; the sink
answers what it already holds as a duplicate, and that counts as done. A bounded number of intents
is open at a time; they are committed in order.
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from tickmesh_cleaner.control import HaltedError, JobControl
from tickmesh_cleaner.domain.errors import (
    CleanerError,
    JobStateError,
    RegistryUnavailableError,
    TickStoreUnavailableError,
)
from tickmesh_cleaner.domain.intent import Commit, Intent
from tickmesh_cleaner.domain.job import Job, JobState
from tickmesh_cleaner.judged import Judge, JudgedBatch, merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.metrics import CleanerMetrics
    from tickmesh_cleaner.progress import Progress
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
    from tickmesh_cleaner.sinks.sink import OpenedProducer, Sink, Written
    from tickmesh_cleaner.sources.source import Source, SourceBatch
    from tickmesh_cleaner.store.jobs import JobStore
    from tickmesh_cleaner.store.ledger import Ledger
    from tickmesh_serving.clock import Clock

BATCHES_IN_FLIGHT = 4
"""Open intents a job may have: what bounds its memory and the work a crash repeats."""

MESSAGE_BYTES = 12 * 1024 * 1024
"""The most a batch of good rows may weigh: peers take messages of 16 MiB."""

_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 5.0

Answer = TypeVar("Answer")


class SchemaFollower(Protocol):
    """Chooses the schema of each batch."""

    def next(self) -> RegisteredSchema:
        """The version the next batch is judged under.

        Raises:
            RegistryUnavailableError: No version was ever seen here and the registry is away.
            HaltedError: A breaking change came and the job's policy is to pause.
        """
        ...

    def get(self, version: int) -> RegisteredSchema:
        """A version the job used before."""
        ...


@dataclass(slots=True)
class _InFlight:
    """A batch whose intent is written and whose commit is not."""

    intent: Intent
    judged: JudgedBatch
    schema: RegisteredSchema
    answer: Future[Written]


class Pipeline:
    """Runs one job from where its ledger stands to the end of its source."""

    def __init__(
        self,
        job: Job,
        *,
        jobs: JobStore,
        ledger: Ledger,
        source: Source,
        judge: Judge,
        schemas: SchemaFollower,
        sink: Sink,
        quarantine: QuarantineFiles,
        control: JobControl,
        progress: Progress,
        metrics: CleanerMetrics,
        clock: Clock,
    ) -> None:
        """Put the parts together; nothing runs yet.

        Args:
            job: The job, owned by this process, with its producer id and source identity noted.
            jobs: Where its state is kept.
            ledger: Where intents and commits are kept.
            source: Its records.
            judge: Splits batches.
            schemas: Chooses the schema of each batch.
            sink: Where good rows go.
            quarantine: Where bad rows go.
            control: What is asked of the job.
            progress: Where the moment is shown.
            metrics: What is counted.
            clock: The clock.

        Raises:
            ValueError: The source cannot be read again, so no open intent could be carried out a
                second time; what such a feed brings has to be kept first.
        """
        if not source.replayable:
            raise ValueError(f"{source.name} cannot be read again; give a source that keeps it")
        self._job = job
        self._owner = job.owner
        self._jobs = jobs
        self._ledger = ledger
        self._source = source
        self._judge = judge
        self._schemas = schemas
        self._sink = sink
        self._quarantine = quarantine
        self._control = control
        self._progress = progress
        self._metrics = metrics
        self._clock = clock
        self._epoch = 0
        self._in_flight: deque[_InFlight] = deque()

    def run(self) -> Job:
        """Carry the job to the end of its source.

        Returns:
            The job with all its batches committed.

        Raises:
            HaltedError: A pause or cancel was asked for; what was in flight is committed.
            StoppedError: The process shuts down; open intents are taken up after the restart.
            CleanerError: The job cannot go on; everything judged before is committed.
        """
        self._job = self._ledger.adopt(self._job)
        self._take_up(self._patiently(lambda: self._sink.open(self._job.producer_id)))
        state = self._ledger.state(self._job.producer_id)
        try:
            rule_state = state.rule_state
            for intent in state.open:
                rule_state = self._carry_out_again(intent)
            self._go_on(after=state.end, n=state.last_n, rule_state=rule_state)
        except (HaltedError, CleanerError):
            self._drain()
            raise
        self._drain()
        if self._job.identity is not None:
            self._source.verify(self._job.identity)
        return self._job

    def _take_up(self, opened: OpenedProducer) -> None:
        """Compare what the sink holds of the producer with what the ledger says."""
        self._epoch = opened.epoch
        if self._job.stored_before is None:
            self._job = self._jobs.note_stored_before(
                self._job.id, owner=self._owner, sequence=opened.last_n
            )
        committed = self._ledger.state(self._job.producer_id).last_committed_n
        if opened.last_n < committed:
            raise JobStateError(
                f"the tick store holds {opened.last_n} batches of this source, {committed} were "
                "acknowledged: it lost data, or is another one. Restore it, or clean the source "
                "again with `again` set",
                jobId=self._job.id,
                held=str(opened.last_n),
                acknowledged=str(committed),
            )

    def _carry_out_again(self, intent: Intent) -> str:
        """Repeat the effects of an open intent; returns what the rules remember after it."""
        schema = self._patiently(lambda: self._schemas.get(intent.schema_version))
        with closing(self._source.read(start=intent.start, end=intent.end)) as batches:
            parts = []
            rule_state = intent.rule_state
            for batch in batches:
                parts.append(self._judge.judge(batch, schema, rule_state=rule_state))
                rule_state = parts[-1].rule_state
        judged = merge(parts, schema)
        self._launch(intent, judged, schema)
        return judged.rule_state

    def _go_on(self, *, after: str | None, n: int, rule_state: str) -> None:
        version = self._ledger.state(self._job.producer_id).schema_version
        with closing(self._source.read(start=after, end=None)) as batches:
            for batch in batches:
                self._control.checkpoint()
                schema = self._patiently(self._schemas.next)
                delay_ns = None
                if version not in {0, schema.version}:
                    came_ns = max(schema.registered_at_ns, schema.effective_from_ns)
                    delay_ns = self._clock.now_ns() - came_ns
                version = schema.version
                self._progress.judged(schema_version=version, change_delay_ns=delay_ns)
                for piece, judged in self._pieces(batch, schema, rule_state):
                    n += 1
                    intent = Intent(
                        job_id=self._job.id,
                        producer_id=self._job.producer_id,
                        n=n,
                        epoch=self._epoch,
                        start=piece.start,
                        end=piece.end,
                        schema_id=schema.schema_id,
                        schema_version=schema.version,
                        rule_set_fingerprint=judged.rule_set_fingerprint,
                        rule_state=rule_state,
                    )
                    rule_state = judged.rule_state
                    self._ledger.write_intent(intent, owner=self._owner)
                    self._launch(intent, judged, schema)

    def _pieces(
        self, batch: SourceBatch, schema: RegisteredSchema, rule_state: str
    ) -> Iterator[tuple[SourceBatch, JudgedBatch]]:
        """The batch, judged; cut finer where its records make more rows than a message takes."""
        judged = self._judge.judge(batch, schema, rule_state=rule_state)
        records = batch.decoded.record_count
        if judged.good.nbytes <= MESSAGE_BYTES or records == 1:
            yield batch, judged
            return
        finer = self._source.read(start=batch.start, end=batch.end, batch_records=records // 2)
        with closing(finer):
            for piece in finer:
                for smaller, judged in self._pieces(piece, schema, rule_state):
                    rule_state = judged.rule_state
                    yield smaller, judged

    def _launch(self, intent: Intent, judged: JudgedBatch, schema: RegisteredSchema) -> None:
        """Begin the effects of a batch, then commit what is due."""
        self._quarantine.write(
            job_id=self._job.id, n=intent.n, records=judged.records, repairs=judged.repairs
        )
        flying = _InFlight(intent, judged, schema, Future())
        self._in_flight.append(flying)
        self._send(flying)
        self._progress.in_flight(len(self._in_flight))
        while len(self._in_flight) >= BATCHES_IN_FLIGHT or (
            self._in_flight and self._in_flight[0].answer.done()
        ):
            self._commit_oldest()

    def _send(self, flying: _InFlight) -> None:
        intent = flying.intent
        flying.answer = self._sink.write(
            intent.n, flying.judged.good, schema=flying.schema, start=intent.start, end=intent.end
        )

    def _drain(self) -> None:
        while self._in_flight:
            self._commit_oldest()

    def _commit_oldest(self) -> None:
        flying = self._in_flight[0]
        try:
            written = flying.answer.result()
        except TickStoreUnavailableError as error:
            self._send_again(error)
            return
        intent = flying.intent
        balance = flying.judged.balance
        if intent.n <= (self._job.stored_before or 0):
            balance = balance.stored_before()
        self._job = self._ledger.commit(
            Commit(
                job_id=self._job.id,
                producer_id=intent.producer_id,
                n=intent.n,
                balance=balance,
                dataset_revision=written.dataset_revision if balance.stored else 0,
                schema_version=intent.schema_version,
                rule_state=flying.judged.rule_state,
            ),
            owner=self._owner,
            committed_at_ns=self._clock.now_ns(),
            held=flying.judged.entered,
            released=flying.judged.released,
            held_again=flying.judged.held_again,
        )
        self._in_flight.popleft()
        self._metrics.committed(balance)
        self._progress.in_flight(len(self._in_flight))
        self._progress.committed(rows=balance.rows_in, read=self._source.progress(intent.end))

    def _send_again(self, error: TickStoreUnavailableError) -> None:
        """Open the sink anew and send everything unanswered, in order."""
        self._take_up(self._patiently(lambda: self._sink.open(self._job.producer_id), after=error))
        for flying in self._in_flight:
            self._send(flying)

    def _patiently(
        self, call: Callable[[], Answer], *, after: TickStoreUnavailableError | None = None
    ) -> Answer:
        """Call until the service answers; meanwhile the job is WAITING."""
        wait_seconds = _FIRST_WAIT_SECONDS
        waited = False
        error: CleanerError | None = after
        while True:
            if error is None:
                try:
                    answer = call()
                except (RegistryUnavailableError, TickStoreUnavailableError) as failure:
                    error = failure
                else:
                    break
            if not waited:
                waited = True
                self._move(JobState.WAITING, message=error.message)
            self._control.wait(wait_seconds)
            wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)
            error = None
        if waited:
            self._move(JobState.RUNNING)
        return answer

    def _move(self, state: JobState, *, message: str = "") -> None:
        self._job = self._jobs.move(self._job.id, state, owner=self._owner, message=message)
