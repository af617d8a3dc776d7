"""From a job to the pipeline that carries it out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from tickmesh.decoding.source_spec import Compression
from tickmesh_cleaner.domain.errors import SourceNotFoundError
from tickmesh_cleaner.domain.identity import producer_id, rule_set_fingerprint
from tickmesh_cleaner.domain.job_source import (
    DatabaseSource,
    FileSource,
    HttpFeedSource,
    QuarantineSource,
    UploadedSource,
    WebSocketFeedSource,
)
from tickmesh_cleaner.judging import BatchJudge
from tickmesh_cleaner.pipeline import Pipeline, SchemaFollower
from tickmesh_cleaner.schema_following import FixedFollower, PolicyFollower, Schemas
from tickmesh_cleaner.sources.answered_query import AnsweredQuery
from tickmesh_cleaner.sources.feed import FeedRecords
from tickmesh_cleaner.sources.file import FileRecords
from tickmesh_cleaner.sources.keyed_query import KeyedQuery
from tickmesh_cleaner.sources.layout import parse_spec, spec_of
from tickmesh_cleaner.sources.quarantined import (
    QuarantinedRecords,
    RecordFormat,
    record_format,
)
from tickmesh_cleaner.waiting import Patience

if TYPE_CHECKING:
    import pyarrow as pa

    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.control import JobControl
    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.domain.job_sink import JobSink
    from tickmesh_cleaner.feeds.feeds import Feeds
    from tickmesh_cleaner.metrics import CleanerMetrics
    from tickmesh_cleaner.progress import Progress
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
    from tickmesh_cleaner.sinks.sink import Sink
    from tickmesh_cleaner.sources.queries import Queries
    from tickmesh_cleaner.sources.roots import SourceRoots
    from tickmesh_cleaner.sources.source import Source
    from tickmesh_cleaner.store import CleanerStore
    from tickmesh_cleaner.uploads import Uploads
    from tickmesh_serving.clock import Clock


class Sinks(Protocol):
    """Makes and checks the sinks of jobs."""

    def open(self, job: Job) -> Sink:
        """The sink of a job; nothing is connected yet."""
        ...

    def check(self, sink: JobSink, schema: pa.Schema | None) -> None:
        """Refuse a sink that cannot take rows; their schema is None while it is not known."""
        ...

    def destination(self, job: Job) -> str:
        """Where a job's rows go, in words that differ wherever the place does."""
        ...


@dataclass(frozen=True, slots=True)
class Workshop:
    """Everything jobs have in common.

    Attributes:
        store: The cleaner's memory.
        quarantine: The quarantine files.
        uploads: The files that were sent.
        roots: The files that may be read.
        queries: The queries that may be asked.
        feeds: The feeds that may be read.
        schemas: The registry.
        sinks: Makes the sinks of jobs.
        metrics: What is counted.
        clock: The clock.
        engine: The name and version of this cleaner.
    """

    store: CleanerStore
    quarantine: QuarantineFiles
    uploads: Uploads
    roots: SourceRoots
    queries: Queries
    feeds: Feeds
    schemas: Schemas
    sinks: Sinks
    metrics: CleanerMetrics
    clock: Clock
    engine: str

    def fetch(self, job: Job, *, control: JobControl) -> None:
        """Bring here what can be identified only as a whole; the job waits for who has it.

        Raises:
            HaltedError: A pause or a cancel was asked for.
            StoppedError: The process shuts down.
            CleanerError: It cannot be had.
        """
        if isinstance(job.source, DatabaseSource):
            patience = Patience(job, jobs=self.store.jobs, control=control)
            patience.ask(lambda: self.queries.fetch(job, checkpoint=control.raise_if_asked))

    def identify(self, job: Job) -> Job:
        """Note, once, what the job's source holds, and by that its producer.

        Raises:
            CleanerError: The source is not there, has changed, or its spec is wrong.
        """
        source, spec = self._source(job)
        if job.identity is not None:
            source.verify(job.identity)
            return job
        if isinstance(source, FileRecords) and spec is not None:
            job = self.store.jobs.note_layout(
                job.id, owner=job.owner, layout=spec.to_toml(), names=source.column_names()
            )
        if isinstance(source, FeedRecords | AnsweredQuery | KeyedQuery) and spec is not None:
            job = self.store.jobs.note_layout(
                job.id, owner=job.owner, layout=spec.to_toml(), names=()
            )
        identity = source.identify()
        name_matters = spec is not None and spec.file_name is not None
        producer = producer_id(
            content_digest=identity.digest,
            # Packing says nothing about rows: a packed file and its unpacked copy are one source.
            spec_fingerprint=replace(spec, compression=Compression.AUTO).fingerprint
            if spec
            else "",
            file_name=job.file_name if name_matters else "",
            dataset=self.sinks.destination(job),
            nonce=job.id if job.again else "",
        )
        return self.store.jobs.identify(
            job.id, owner=job.owner, producer_id=producer, identity=identity
        )

    def pipeline(self, job: Job, *, control: JobControl, progress: Progress) -> Pipeline:
        """The pipeline of an identified job; nothing runs yet."""
        source, spec = self._source(job)
        fingerprint = rule_set_fingerprint(
            spec_fingerprint=spec.fingerprint if spec else "", engine=self.engine
        )
        return Pipeline(
            job,
            jobs=self.store.jobs,
            ledger=self.store.ledger,
            source=source,
            judge=BatchJudge(
                source_name=job.source_name,
                rule_set_fingerprint=fingerprint,
                engine=self.engine,
                clock=self.clock,
                versions_used=job.schema_versions,
            ),
            schemas=self._follower(job),
            sink=self.sinks.open(job),
            quarantine=self.quarantine,
            control=control,
            progress=progress,
            metrics=self.metrics,
            clock=self.clock,
        )

    def drop_feed(self, job: Job) -> None:
        """Free the spool of a feed job that has ended; say so if it held what was never judged."""
        if isinstance(job.source, HttpFeedSource | WebSocketFeedSource):
            self.feeds.drop(job, committed=self.store.ledger.state(job.producer_id).end)

    def _follower(self, job: Job) -> SchemaFollower:
        if isinstance(job.source, QuarantineSource) and job.source.schema_version:
            return FixedFollower(
                schemas=self.schemas, subject=job.subject, version=job.source.schema_version
            )
        return PolicyFollower(
            schemas=self.schemas,
            job_id=job.id,
            subject=job.subject,
            policy=job.schema_change_policy,
            version=self.store.ledger.state(job.producer_id).schema_version,
            approved_version=job.approved_version,
            metrics=self.metrics,
        )

    def _source(self, job: Job) -> tuple[Source, SourceSpec | None]:
        if isinstance(job.source, QuarantineSource):
            records = QuarantinedRecords(
                job.id,
                name=job.source_name,
                index=self.store.quarantine,
                files=self.quarantine,
                format_of=lambda held_by: self._format_of(held_by, job.source_spec),
            )
            return records, None
        match job.source:
            case DatabaseSource():
                return self.queries.source(job), self.queries.spec(job)
            case HttpFeedSource() | WebSocketFeedSource():
                return self.feeds.source(job), self.feeds.spec(job)
            case UploadedSource(upload_id):
                path = self.uploads.path(upload_id)[0]
            case FileSource(name):
                path = self.roots.resolve(name)
            case _:
                raise SourceNotFoundError(job.source_name)
        spec = (
            parse_spec(job.layout)
            if job.layout
            else spec_of(job.source_spec, path=path, file_name=job.file_name)
        )
        records_of_file = FileRecords(
            path, spec=spec, name=job.source_name, file_name=job.file_name
        )
        return records_of_file, spec

    def _format_of(self, job_id: str, mended_spec: str) -> RecordFormat:
        """How to decode the records a job held back, by its own spec or a mended one."""
        job = self.store.jobs.get(job_id)
        return record_format(
            parse_spec(mended_spec or job.layout),
            column_names=job.column_names,
            file_name=job.file_name,
        )
