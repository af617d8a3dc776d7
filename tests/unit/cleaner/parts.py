"""Parts of a job that live in memory and keep the promises of the real ones."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh.decoding.decoded import DecodedBatch, Position
from tickmesh.decoding.source_spec import identity_spec
from tickmesh.registered import Actor, RegisteredSchema, VersionState
from tickmesh.schema import Action, parse_schema, project
from tickmesh_cleaner.domain.balance import Balance
from tickmesh_cleaner.domain.errors import (
    RegistryUnavailableError,
    SubjectNotFoundError,
    TickStoreUnavailableError,
)
from tickmesh_cleaner.domain.identity import BATCH_RECORDS
from tickmesh_cleaner.domain.job_source import SourceIdentity
from tickmesh_cleaner.domain.quarantine import QuarantineRecord, RowReason
from tickmesh_cleaner.held_rows import HeldRows
from tickmesh_cleaner.judged import JudgedBatch
from tickmesh_cleaner.sinks.sink import OpenedProducer, Written
from tickmesh_cleaner.sources.source import ReadProgress, SourceBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.domain.job_sink import JobSink

SUBJECT = "ticks.trades"


class StoppedClock:
    """A clock that moves on by one millisecond with every look."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000_000_000

    def now_ns(self) -> int:
        self.now += 1_000_000
        return self.now

    def monotonic_ns(self) -> int:
        return self.now_ns()


def schema_version(
    text: str, version: int, *, action: Action = Action.FIRST, subject: str = SUBJECT
) -> RegisteredSchema:
    document = parse_schema(text)
    arrow = project(document, subject=subject, version=version)
    return RegisteredSchema(
        subject=subject,
        version=version,
        schema_id=100 + version,
        fingerprint=document.fingerprint,
        text=text,
        state=VersionState.ACTIVE,
        action=action,
        registered_at_ns=1,
        effective_from_ns=1,
        revision=version,
        labels=MappingProxyType({}),
        actor=Actor("tester", "none", "", "request"),
        arrow_schema_ipc=arrow.serialize().to_pybytes(),
    )


@dataclass
class MemorySchemas:
    """The registry as a job sees it, with the versions a test puts in."""

    registered: list[RegisteredSchema] = field(default_factory=list)
    away: bool = False
    stale_since_ns: int = 0

    def refresh(self, subject: str) -> None:
        self.versions(subject)

    def in_force(self, subject: str) -> RegisteredSchema:
        return self.versions(subject)[-1]

    def get(self, subject: str, *, version: int) -> RegisteredSchema:
        return next(found for found in self.versions(subject) if found.version == version)

    def versions(self, subject: str) -> Sequence[RegisteredSchema]:
        if self.away:
            raise RegistryUnavailableError(subject)
        found = [schema for schema in self.registered if schema.subject == subject]
        if not found:
            raise SubjectNotFoundError(subject)
        return found


@dataclass
class MemoryTickStore:
    """What outlives a crash of the cleaner: rows, and what was stored of each producer."""

    rows: list[dict[str, object]] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)
    epochs: dict[str, int] = field(default_factory=dict)
    revision: int = 0
    revisions: dict[tuple[str, int], int] = field(default_factory=dict)
    counts: dict[tuple[str, int], int] = field(default_factory=dict)
    away: bool = False

    def rows_by_sequence(self, producer_id: str) -> Counter[int]:
        """The rows of a producer by the sequence they were sent under."""
        return Counter(
            {n: rows for (producer, n), rows in self.counts.items() if producer == producer_id}
        )


class LateAnswer(Future[Written]):
    """Already decided, but not known to be before somebody waits for it."""

    def __init__(self) -> None:
        super().__init__()
        self._awaited = False

    def done(self) -> bool:
        return self._awaited

    def add_done_callback(self, fn: Callable[[Future[Written]], object]) -> None:
        self._awaited = True
        fn(self)


class MemorySink:
    """A sink over a `MemoryTickStore`: dense sequences, fenced epochs, duplicates answered."""

    def __init__(self, store: MemoryTickStore, *, late_answers: bool = False) -> None:
        self._store = store
        self._answer = LateAnswer if late_answers else Future[Written]
        self._producer_id = ""
        self._epoch = 0

    def open(self, producer_id: str) -> OpenedProducer:
        if self._store.away:
            raise TickStoreUnavailableError
        self._producer_id = producer_id
        self._epoch = self._store.epochs.get(producer_id, 0) + 1
        self._store.epochs[producer_id] = self._epoch
        return OpenedProducer(epoch=self._epoch, last_n=self._store.last.get(producer_id, 0))

    def write(
        self, n: int, batch: pa.RecordBatch, *, schema: RegisteredSchema, start: str, end: str
    ) -> Future[Written]:
        answer = self._answer()
        store = self._store
        last = store.last.get(self._producer_id, 0)
        if store.away:
            answer.set_exception(TickStoreUnavailableError())
        elif store.epochs[self._producer_id] != self._epoch:
            answer.set_exception(AssertionError("a fenced epoch wrote"))
        elif n <= last:
            answer.set_result(Written(store.revisions[self._producer_id, n]))
        elif n > last + 1:
            answer.set_exception(AssertionError(f"expected sequence {last + 1}, got {n}"))
        else:
            store.revision += 1
            store.last[self._producer_id] = n
            store.revisions[self._producer_id, n] = store.revision
            store.counts[self._producer_id, n] = batch.num_rows
            store.rows.extend({**row, "_version": schema.version} for row in batch.to_pylist())
            answer.set_result(Written(store.revision))
        return answer

    def close(self) -> None:
        return


class MemorySinks:
    """Every job's sink is the one tick store in memory."""

    def __init__(self, store: MemoryTickStore) -> None:
        self._store = store

    def open(self, _job: Job) -> MemorySink:
        return MemorySink(self._store)

    def check(self, sink: JobSink, schema: pa.Schema | None) -> None:
        return

    def destination(self, job: Job) -> str:
        return job.dataset


class NumberSource:
    """Whole numbers as records, cut into batches of three."""

    name = "numbers"
    replayable = True

    def __init__(self, numbers: Sequence[int], *, digest: str = "d" * 64) -> None:
        self.numbers = list(numbers)
        self._digest = digest

    def identify(self) -> SourceIdentity:
        return SourceIdentity(self._digest, "signature", len(self.numbers))

    def verify(self, identity: SourceIdentity) -> None:
        assert identity.digest == self._digest

    def read(
        self, *, start: str | None, end: str | None, batch_records: int = BATCH_RECORDS
    ) -> Generator[SourceBatch, None, None]:
        size = min(batch_records, 3)
        stop = len(self.numbers) if end is None else int(end)
        at = int(start or 0)
        while at < stop:
            to = min(at + size, stop)
            yield SourceBatch(str(at), str(to), self._decoded(at, to), identity_spec("csv"), "n")
            at = to

    def _decoded(self, at: int, to: int) -> DecodedBatch:
        numbers = self.numbers[at:to]
        return DecodedBatch(
            start=Position(at),
            end=Position(to),
            record_count=len(numbers),
            columns=pa.RecordBatch.from_pydict({"x": numbers}),
            offsets=pa.array(range(at, to), pa.int64()),
            lines=pa.array(range(at, to), pa.int64()),
            rejects=(),
            raw=lambda indices: [str(numbers[index]).encode() for index in indices],
        )

    def progress(self, position: str) -> ReadProgress:
        return ReadProgress(int(position), len(self.numbers))


class SignJudge:
    """Holds back what is negative; remembers the largest number and notes it on each row."""

    def judge(
        self, batch: SourceBatch, schema: RegisteredSchema, *, rule_state: str = ""
    ) -> JudgedBatch:
        numbers: list[int] = batch.decoded.columns.column("x").to_numpy().tolist()
        good = [number for number in numbers if number >= 0]
        bad = [number for number in numbers if number < 0]
        return JudgedBatch(
            good=pa.RecordBatch.from_pydict(
                {"x": pa.array(good, pa.int64()), "before": pa.array([rule_state] * len(good))}
            ),
            held=HeldRows.of([record_of(number, schema) for number in bad]),
            balance=Balance(
                records=len(numbers), rows_in=len(numbers), stored=len(good), quarantined=len(bad)
            ),
            rule_set_fingerprint="sign",
            rule_state=str(max([int(rule_state or 0), *good])),
        )


def record_of(number: int, schema: RegisteredSchema) -> QuarantineRecord:
    return QuarantineRecord(
        source="numbers",
        offset=0,
        line=0,
        row_in_record=0,
        raw=str(number).encode(),
        document=f'{{"x": {number}}}',
        reasons=(RowReason("MINIMUM", "/x", "/properties/x/minimum", f"{number} is below 0"),),
        schema_id=schema.schema_id,
        schema_version=schema.version,
        rule_set_fingerprint="sign",
        engine="test",
        first_seen_ns=1,
    )


__all__ = [
    "SUBJECT",
    "MemorySchemas",
    "MemorySink",
    "MemorySinks",
    "MemoryTickStore",
    "NumberSource",
    "SignJudge",
    "StoppedClock",
    "record_of",
    "replace",
    "schema_version",
]
