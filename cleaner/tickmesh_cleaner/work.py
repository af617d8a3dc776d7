"""From a job to the pipeline that carries it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tickmesh.decoding.source_spec import Compression
from tickmesh_cleaner.domain.errors import SourceNotFoundError
from tickmesh_cleaner.domain.identity import producer_id, rule_set_fingerprint
from tickmesh_cleaner.domain.job import Job
from tickmesh_cleaner.domain.job_source import (
    FileSource,
    PutSource,
    QuarantineSource,
    UploadedSource,
)
from tickmesh_cleaner.judging import BatchJudge
from tickmesh_cleaner.pipeline import Pipeline, SchemaFollower
from tickmesh_cleaner.schema_following import FixedFollower, PolicyFollower, Schemas
from tickmesh_cleaner.sinks.sink import Sink
from tickmesh_cleaner.sources.file import FileRecords
from tickmesh_cleaner.sources.layout import parse_spec, put_spec, spec_of
from tickmesh_cleaner.sources.put import PutRecords, put_digest, put_producer
from tickmesh_cleaner.sources.quarantined import (
    QuarantinedRecords,
    RecordFormat,
    record_format,
)

if TYPE_CHECKING:
    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh.schema.validation import SelfCheck
    from tickmesh_cleaner.control import JobControl
    from tickmesh_cleaner.metrics import CleanerMetrics
    from tickmesh_cleaner.progress import Progress
    from tickmesh_cleaner.puts.putting import PutStreams
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
    from tickmesh_cleaner.sources.roots import SourceRoots
    from tickmesh_cleaner.sources.source import Source
    from tickmesh_cleaner.store import CleanerStore
    from tickmesh_cleaner.uploads import Uploads
    from tickmesh_serving.clock import Clock

SinkFactory = Callable[[Job], Sink]
"""Makes the sink of a job."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """Everything jobs have in common.

    Attributes:
        store: The cleaner's memory.
        quarantine: The quarantine files.
        uploads: The files that were sent.
        roots: The files that may be read.
        schemas: The registry.
        sink_of: Makes the sink of a job.
        metrics: What is counted.
        clock: The clock.
        engine: The name and version of this cleaner.
        puts: The streams of puts; None where rows cannot be put.
        self_check: Judges a sample of the verdicts of all jobs again; None to go without.
    """

    store: CleanerStore
    quarantine: QuarantineFiles
    uploads: Uploads
    roots: SourceRoots
    schemas: Schemas
    sink_of: SinkFactory
    metrics: CleanerMetrics
    clock: Clock
    engine: str
    puts: PutStreams | None = None
    self_check: SelfCheck | None = None

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
        identity = source.identify()
        if isinstance(job.source, PutSource) and spec is not None:
            job = self.store.jobs.note_layout(
                job.id, owner=job.owner, layout=spec.to_toml(), names=()
            )
            return self.store.jobs.identify(
                job.id,
                owner=job.owner,
                producer_id=put_producer(identity.digest, dataset=job.dataset),
                identity=identity,
            )
        name_matters = spec is not None and spec.file_name is not None
        producer = producer_id(
            content_digest=identity.digest,
            # Packing says nothing about rows: a packed file and its unpacked copy are one source.
            spec_fingerprint=replace(spec, compression=Compression.AUTO).fingerprint
            if spec
            else "",
            file_name=job.file_name if name_matters else "",
            dataset=job.dataset,
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
                self_check=self.self_check,
            ),
            schemas=self._follower(job),
            sink=self.sink_of(job),
            quarantine=self.quarantine,
            control=control,
            progress=progress,
            metrics=self.metrics,
            clock=self.clock,
        )

    def _follower(self, job: Job) -> SchemaFollower:
        if isinstance(job.source, QuarantineSource | PutSource) and job.source.schema_version:
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
                format_of=lambda held_by: self.format_of(held_by, job.source_spec),
            )
            return records, None
        if isinstance(job.source, PutSource) and self.puts is not None:
            spec = put_spec(job.source_spec)
            named = job.source.producer_id
            digest = put_digest(named)
            put = PutRecords(
                named,
                name=job.source_name,
                spec=spec,
                spool=self.puts.spool(put_producer(digest, dataset=job.dataset)),
                live=self.puts.live(job.id),
            )
            return put, spec
        match job.source:
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

    def format_of(self, job_id: str, mended_spec: str) -> RecordFormat:
        """How to decode the records a job held back, by its own spec or a mended one."""
        job = self.store.jobs.get(job_id)
        return record_format(
            parse_spec(mended_spec or job.layout),
            column_names=job.column_names,
            file_name=job.file_name,
        )
