"""From a job to the pipeline that carries it out."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tickmesh.decoding.source_spec import Compression
from tickmesh_cleaner.domain.errors import SourceNotFoundError
from tickmesh_cleaner.domain.identity import producer_id, rule_set_fingerprint
from tickmesh_cleaner.domain.job_file import JobFile, JobFileState
from tickmesh_cleaner.domain.job_source import (
    DatabaseSource,
    FileSource,
    FilesSource,
    FollowedSource,
    HttpFeedSource,
    QuarantineSource,
    UploadedSource,
    WebSocketFeedSource,
)
from tickmesh_cleaner.followed_jobs import FollowedJobs
from tickmesh_cleaner.judging import BatchJudge
from tickmesh_cleaner.pipeline import Pipeline, SchemaFollower
from tickmesh_cleaner.schema_following import FixedFollower, PolicyFollower, Schemas
from tickmesh_cleaner.sources.answered_query import AnsweredQuery
from tickmesh_cleaner.sources.feed import FeedRecords
from tickmesh_cleaner.sources.file import FileRecords
from tickmesh_cleaner.sources.keyed_query import KeyedQuery
from tickmesh_cleaner.sources.layout import parse_spec, spec_of
from tickmesh_cleaner.sources.one_of_files import OneOfFiles
from tickmesh_cleaner.sources.quarantined import (
    QuarantinedRecords,
    RecordFormat,
    record_format,
)
from tickmesh_cleaner.waiting import Patience

if TYPE_CHECKING:
    import pyarrow as pa

    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh.schema.validation import SelfCheck
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
        self_check: Judges a sample of the verdicts of all jobs again; None to go without.
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
    self_check: SelfCheck | None = None

    def next_file(self, job: Job) -> JobFile | None:
        """The file a job with several is at; None once it has ended them all.

        They are listed when the job first comes here: what is added later is another job's.

        Raises:
            CleanerError: Nothing matches any more.
        """
        assert isinstance(job.source, FilesSource)
        if not self.store.job_files.listed(job.id):
            found = self.roots.match(job.source.pattern)
            self.store.job_files.enter(
                [
                    JobFile(job.id, part, str(file.path), file.name, file.size_bytes)
                    for part, file in enumerate(found)
                ]
            )
        return self.store.job_files.current(job.id)

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
        if isinstance(job.source, FollowedSource):
            return self.followed.begin(job)
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
        file_name = ""
        if isinstance(source, FileRecords) and spec is not None and spec.file_name is not None:
            file_name = source.file_name
        producer = producer_id(
            content_digest=identity.digest,
            # Packing says nothing about rows: a packed file and its unpacked copy are one source.
            spec_fingerprint=replace(spec, compression=Compression.AUTO).fingerprint
            if spec
            else "",
            file_name=file_name,
            dataset=self.sinks.destination(job),
            nonce=job.id if job.again else "",
        )
        return self.store.jobs.identify(
            job.id, owner=job.owner, producer_id=producer, identity=identity
        )

    def lay_out(self, job: Job) -> Job | None:
        """The job once it is known how its source is read; None while that must be waited for.

        Raises:
            CleanerError: The source cannot be read.
        """
        return self.followed.lay_out(job) if isinstance(job.source, FollowedSource) else job

    def pipeline(self, job: Job, *, control: JobControl, progress: Progress) -> Pipeline:
        """The pipeline of an identified job; nothing runs yet."""
        source, spec = self._source(job, control)
        fingerprint = rule_set_fingerprint(
            spec_fingerprint=spec.fingerprint if spec else "", engine=self.engine
        )
        part = self._part(job)
        return Pipeline(
            job,
            jobs=self.store.jobs,
            ledger=self.store.ledger,
            source=source,
            judge=BatchJudge(
                source_name=source.name,
                rule_set_fingerprint=fingerprint,
                engine=self.engine,
                clock=self.clock,
                versions_used=job.schema_versions,
                self_check=self.self_check,
            ),
            schemas=self._follower(job),
            sink=self.sinks.open(job),
            quarantine=self.quarantine.of_part(part),
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
            version=self.store.ledger.state(job.producer_id).schema_version
            # The next one of several files goes on under the version the last one was judged under.
            or max(job.schema_versions, default=0),
            approved_version=job.approved_version,
            metrics=self.metrics,
        )

    @property
    def followed(self) -> FollowedJobs:
        """What is done for jobs that follow a file."""
        return FollowedJobs(self.store, self.roots, self.clock)

    def _source(
        self, job: Job, control: JobControl | None = None
    ) -> tuple[Source, SourceSpec | None]:
        if isinstance(job.source, QuarantineSource):
            records = QuarantinedRecords(
                job.id,
                name=job.source_name,
                index=self.store.quarantine,
                files=self.quarantine,
                format_of=lambda held_by, part: self._format_of(held_by, part, job.source_spec),
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
            case FilesSource():
                return self._file_at_work(job)
            case FollowedSource():
                wait = control.wait if control else time.sleep
                return self.followed.records(job, wait=wait), parse_spec(job.layout)
            case _:
                raise SourceNotFoundError(job.source_name)
        spec = (
            parse_spec(job.layout)
            if job.layout
            else spec_of(job.source_spec, path=path, file_name=job.file_name)
        )
        records_of_file = FileRecords(
            path,
            spec=spec,
            name=job.source_name,
            file_name=job.file_name,
            identity=job.identity,
        )
        return records_of_file, spec

    def _file_at_work(self, job: Job) -> tuple[Source, SourceSpec]:
        """The file that a job with several is at."""
        file = self.store.job_files.current(job.id)
        assert file is not None
        path = self.roots.resolve(file.path)
        spec = (
            parse_spec(job.layout)
            if job.layout
            else spec_of(job.source_spec, path=path, file_name=path.name)
        )
        before, total = self.store.job_files.sizes(file)
        records = OneOfFiles(
            path,
            file=file,
            bytes_before=before,
            bytes_total=total,
            spec=spec,
            identity=job.identity,
        )
        return records, spec

    def _part(self, job: Job) -> int:
        """Which of its files a job is at; 0 where there is one."""
        if not isinstance(job.source, FilesSource):
            return 0
        file = self.store.job_files.current(job.id)
        assert file is not None
        return file.part

    def _format_of(self, job_id: str, part: int, mended_spec: str) -> RecordFormat:
        """How to decode the records a job held back, by its own spec or a mended one."""
        job = self.store.jobs.get(job_id)
        layout, names, file_name = job.layout, job.column_names, job.file_name
        if isinstance(job.source, FilesSource):
            file = self.store.job_files.get(job_id, part)
            file_name = Path(file.path).name
            if file.state is JobFileState.ENDED:
                layout, names = file.layout, file.column_names
        return record_format(
            parse_spec(mended_spec or layout), column_names=names, file_name=file_name
        )
