"""Jobs that follow a file: where they begin, and what its first lines tell."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tickmesh.decoding import csv
from tickmesh.decoding.decoded import DecodeError
from tickmesh.decoding.opening import expected_columns
from tickmesh.decoding.sniffing import SNIFFED_BYTES
from tickmesh.decoding.source_spec import Compression, Format
from tickmesh_cleaner.domain.errors import InvalidSourceSpecError, SourceUnreadableError
from tickmesh_cleaner.domain.identity import producer_id
from tickmesh_cleaner.domain.job_event import JobEvent
from tickmesh_cleaner.domain.job_source import FollowedSource, SourceIdentity, StartAt
from tickmesh_cleaner.sources.followed.family import FileFamily
from tickmesh_cleaner.sources.followed.lines import BEGINNING, line_end_before
from tickmesh_cleaner.sources.followed.place import HEAD_BYTES, Place
from tickmesh_cleaner.sources.followed.records import FollowedRecords
from tickmesh_cleaner.sources.layout import parse_spec, spec_of_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.domain.job import Job
    from tickmesh_cleaner.sources.roots import SourceRoots
    from tickmesh_cleaner.store import CleanerStore
    from tickmesh_serving.clock import Clock


class FollowedJobs:
    """What the cleaner does for jobs that follow a file, up to their pipeline."""

    def __init__(self, store: CleanerStore, roots: SourceRoots, clock: Clock) -> None:
        self._store = store
        self._roots = roots
        self._clock = clock

    def begin(self, job: Job) -> Job:
        """Note, once, where a job begins, and its producer: the job itself, whatever comes.

        Raises:
            SourceNotFoundError: The name stands for something that is no file.
        """
        if job.identity is not None:
            return job
        source = _source_of(job)
        place = self._begin_at(source)
        identity = SourceIdentity(
            digest=hashlib.sha256(f"followed {job.id}".encode()).hexdigest(),
            signature=place.token() if place else "",
            size_bytes=0,
        )
        producer = producer_id(
            content_digest=identity.digest,
            spec_fingerprint="",
            file_name="",
            dataset=job.dataset,
            nonce="",
        )
        return self._store.jobs.identify(
            job.id, owner=job.owner, producer_id=producer, identity=identity
        )

    def lay_out(self, job: Job) -> Job | None:
        """Note, once, how the file's lines are read; None while its first line is not there.

        Raises:
            SourceUnreadableError: It holds no lines that are read here.
            InvalidSourceSpecError: The spec is of no format of lines.
        """
        if job.layout:
            return job
        spec = parse_spec(job.source_spec) if job.source_spec else None
        if spec is not None:
            check_lines(spec)
        names: tuple[str, ...] = ()
        if spec is None or (spec.format is Format.CSV and not spec.csv.names):
            head = self._whole_lines(job)
            if not head:
                return None
            spec = spec or _spec_of(head, job)
            names = _header(head, spec, name=job.source_name)
        return self._store.jobs.note_layout(
            job.id, owner=job.owner, layout=spec.to_toml(), names=names
        )

    def records(self, job: Job, *, wait: Callable[[float], None]) -> FollowedRecords:
        """The records of a job that is laid out."""
        spec = parse_spec(job.layout)
        assert job.identity is not None

        def note(code: str, message: str) -> None:
            event = JobEvent(code, message, self._clock.now_ns())
            self._store.jobs.note_event(job.id, event, owner=job.owner)

        return FollowedRecords(
            self._family(job),
            spec=spec,
            names=job.column_names or spec.csv.names,
            file_name=job.file_name,
            identity=job.identity,
            note=note,
            wait=wait,
        )

    def _family(self, job: Job) -> FileFamily:
        return FileFamily(_source_of(job).path, roots=self._roots)

    def _begin_at(self, source: FollowedSource) -> Place | None:
        """Where to begin; None with what comes to have the name first."""
        present = FileFamily(source.path, roots=self._roots).open_present()
        if present is None:
            return None
        try:
            size = present.size_bytes
            mark = present.mark(upto=min(size, HEAD_BYTES))
            if source.start_at is StartAt.END:
                return Place(mark, line_end_before(present, size))
            return Place(mark, BEGINNING)
        finally:
            present.close()

    def _whole_lines(self, job: Job) -> bytes:
        """The first lines of the file the job begins with; empty while there is none."""
        assert job.identity is not None
        family = self._family(job)
        token = job.identity.signature
        generation = (family.find(Place.parse(token)) if token else None) or family.open_present()
        if generation is None:
            return b""
        try:
            head = next(generation.content(0), b"")[:SNIFFED_BYTES]
        finally:
            generation.close()
        return head if len(head) == SNIFFED_BYTES else head[: head.rfind(b"\n") + 1]


def check_lines(spec: SourceSpec) -> None:
    """Raise InvalidSourceSpecError unless a file of this spec can be read while it grows."""
    if spec.format not in {Format.CSV, Format.JSONL}:
        raise InvalidSourceSpecError(
            f"only csv and jsonl can be followed, not {spec.format.value}", key="format"
        )
    if spec.compression not in {Compression.AUTO, Compression.NONE}:
        raise InvalidSourceSpecError("a file that is followed cannot be packed", key="compression")


def _source_of(job: Job) -> FollowedSource:
    assert isinstance(job.source, FollowedSource)
    return job.source


def _spec_of(head: bytes, job: Job) -> SourceSpec:
    spec = spec_of_bytes(head, file_name=job.file_name)
    try:
        check_lines(spec)
    except InvalidSourceSpecError as error:
        raise SourceUnreadableError(job.source_name, cause=error.message, offset=0) from error
    return spec


def _header(head: bytes, spec: SourceSpec, *, name: str) -> tuple[str, ...]:
    """The columns that the first line names."""
    if spec.format is not Format.CSV or spec.csv.names:
        return ()
    try:
        header = csv.header_frame(iter([head]), spec.csv)
        return csv.header_names(header, spec.csv, expected=expected_columns(spec))
    except DecodeError as error:
        raise SourceUnreadableError(
            name, cause=f"{error.code}: {error.message}", offset=error.offset
        ) from error
