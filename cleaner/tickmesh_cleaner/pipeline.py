"""Exactly once, step by step: intent, effects, one local commit.

For each range of the source, in order:

1. *judge* it under the schema in force;
2. *intent*: a local transaction records what is about to happen;
3. *effects*: the good rows go to the sink as batch n, the bad rows to the quarantine file of
   batch n, synchronised. Both may be repeated;
4. *commit*: once the sink holds batch n durably, a local transaction enters the quarantine
   index, the balance line and the job's account, and closes the intent.

After a crash every open intent is carried out again with its own range, schema and rules; the sink
answers what it already holds as a duplicate, and that counts as done. A bounded number of batches
is judged and not committed; they are committed in order.

Three threads work on a job at once: one decodes ahead (`Ahead`), the job's own judges, one carries
out (`Effects`). Each hands over through a queue of a few batches, so memory is bounded whatever the
source holds.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from tickmesh_cleaner.control import HaltedError, JobControl
from tickmesh_cleaner.domain.errors import CleanerError
from tickmesh_cleaner.domain.intent import Intent
from tickmesh_cleaner.effects import Effects
from tickmesh_cleaner.judged import Judge, JudgedBatch, merge
from tickmesh_cleaner.sources.coalescing import batches_of
from tickmesh_cleaner.waiting import Patience

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.metrics import CleanerMetrics
    from tickmesh_cleaner.progress import Progress
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
    from tickmesh_cleaner.sinks.sink import Sink
    from tickmesh_cleaner.sources.source import Source, SourceBatch
    from tickmesh_cleaner.store.jobs import JobStore
    from tickmesh_cleaner.store.ledger import Ledger, LedgerState
    from tickmesh_serving.clock import Clock

MESSAGE_BYTES = 12 * 1024 * 1024
"""The most a batch of good rows may weigh: peers take messages of 16 MiB."""

_BRIEF_SECONDS = 0.05


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
        self._jobs = jobs
        self._ledger = ledger
        self._source = source
        self._judge = judge
        self._schemas = schemas
        self._control = control
        self._progress = progress
        self._clock = clock
        self._patience = Patience(job, jobs=jobs, control=control)
        self._effects = Effects(
            job,
            jobs=jobs,
            ledger=ledger,
            source=source,
            sink=sink,
            quarantine=quarantine,
            patience=self._patience,
            progress=progress,
            metrics=metrics,
            clock=clock,
        )

    def run(self) -> Job:
        """Carry the job to the end of its source.

        Returns:
            The job with all its batches committed.

        Raises:
            HaltedError: A pause or cancel was asked for; what was in flight is committed.
            StoppedError: The process shuts down; open intents are taken up after the restart.
            CleanerError: The job cannot go on; everything judged before is committed.
        """
        effects = self._effects
        try:
            self._ledger.adopt(self._job)
            state = self._ledger.state(self._job.producer_id)
            if not state.last_n:
                # A sink may ask for a version in force before it makes room for the first rows.
                self._patience.ask(self._schemas.next)
            effects.begin()
            rule_state = state.rule_state
            try:
                for intent in state.open:
                    rule_state = self._carry_out_again(intent, effects)
                self._go_on(effects, state, rule_state=rule_state)
            except (HaltedError, CleanerError):
                effects.drain()
                raise
            effects.drain()
        finally:
            effects.end()
        if self._job.identity is not None:
            self._source.verify(self._job.identity)
        return self._jobs.get(self._job.id)

    def _carry_out_again(self, intent: Intent, effects: Effects) -> str:
        """Repeat the effects of an open intent; returns what the rules remember after it."""
        schema = self._patience.ask(lambda: self._schemas.get(intent.schema_version))
        with closing(self._source.read(start=intent.start, end=intent.end)) as batches:
            parts: list[JudgedBatch] = []
            rule_state = intent.rule_state
            for batch in batches:
                parts.append(self._judge.judge(batch, schema, rule_state=rule_state))
                rule_state = parts[-1].rule_state
        judged = merge(parts, schema)
        effects.give(intent, judged, schema, recorded=True)
        return judged.rule_state

    def _go_on(self, effects: Effects, state: LedgerState, *, rule_state: str) -> None:
        n, version = state.last_n, state.schema_version
        batches = batches_of(
            self._source,
            start=state.end,
            max_latency_seconds=self._job.max_latency_seconds,
            control=self._control,
            quiet=self._patience.note_quiet,
        )
        with closing(batches):
            for batch in batches:
                self._control.checkpoint()
                schema = self._patience.ask(self._schemas.next)
                self._note_version(schema, before=version)
                version = schema.version
                for piece, judged in self._pieces(batch, schema, rule_state):
                    n += 1
                    intent = Intent(
                        job_id=self._job.id,
                        producer_id=self._job.producer_id,
                        n=n,
                        epoch=0,
                        start=piece.start,
                        end=piece.end,
                        schema_id=schema.schema_id,
                        schema_version=schema.version,
                        rule_set_fingerprint=judged.rule_set_fingerprint,
                        rule_state=rule_state,
                    )
                    rule_state = judged.rule_state
                    self._await_room(effects)
                    effects.give(intent, judged, schema, recorded=False)

    def _await_room(self, effects: Effects) -> None:
        """Let other jobs work while this one's batches wait for their sink."""
        if effects.has_room(within_seconds=_BRIEF_SECONDS):
            return
        with self._control.idle():
            while not effects.has_room(within_seconds=_BRIEF_SECONDS):
                self._control.raise_if_asked()

    def _note_version(self, schema: RegisteredSchema, *, before: int) -> None:
        delay_ns = None
        if before not in {0, schema.version}:
            came_ns = max(schema.registered_at_ns, schema.effective_from_ns)
            delay_ns = self._clock.now_ns() - came_ns
        self._progress.judged(schema_version=schema.version, change_delay_ns=delay_ns)

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
