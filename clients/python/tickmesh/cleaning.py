"""The cleaner from Python: clean files, follow jobs, read and replay the quarantine."""

from __future__ import annotations

import hashlib
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import grpc
from google.protobuf.duration_pb2 import Duration

from tickmesh._wire.credentials import credentials_of, open_channel
from tickmesh._wire.metadata import REQUEST_ID
from tickmesh._wire.status import error_from_rpc
from tickmesh.api.cleaner.v1 import cleaner_service_pb2, job_pb2, quarantine_pb2
from tickmesh.api.cleaner.v1.cleaner_service_pb2_grpc import CleanerServiceStub
from tickmesh.cleaning_sinks import JobSink, TickStoreSink, sink_message
from tickmesh.cleaning_sources import File, JobSource, Upload, source_message
from tickmesh.config import load_client_config
from tickmesh.errors import InvalidArgumentError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh._wire.credentials import ClientCredentials
    from tickmesh.config import ClientConfig
    from tickmesh.errors import TickmeshError

    SchemaChangePolicyName = Literal["quarantine", "pin", "pause"]

__all__ = ["CleanerClient"]

_Answer = TypeVar("_Answer")

_PAGE_SIZE = 1_000
_CHUNK_BYTES = 1 << 20
_RECONNECT_SECONDS = 0.2
_UPLOAD_ID = "x-upload-id"


class CleanerClient:
    """A client of the cleaner; may be shared by threads. A context manager.

    Every method raises `tickmesh.errors.TickmeshError`s. Jobs, balances and rows are messages of
    `tickmesh.api.cleaner.v1`, where every field is documented.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        credentials: ClientCredentials | None = None,
        config: ClientConfig | None = None,
        timeout_seconds: float = 30.0,
        retry_seconds: float = 60.0,
    ) -> None:
        """Make a client; connects on first use.

        Args:
            address: `host:port`; the configured one when None.
            credentials: TLS files and token; the configured ones when None.
            config: The client's settings; loaded when None.
            timeout_seconds: The deadline of each call that is no stream.
            retry_seconds: How long `watch_job` and `upload` try again a cleaner that went away.
        """
        config = config or load_client_config()
        self.address = address or config.cleaner
        self._timeout_seconds = timeout_seconds
        self._retry_seconds = retry_seconds
        self._channel = open_channel(
            self.address,
            credentials or credentials_of(config),
            asynchronous=False,
            call_attempts=config.call_attempts,
        )
        self._stub = CleanerServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. Jobs go on without it."""
        self._channel.close()

    # Jobs -------------------------------------------------------------------------------------

    def create_job(
        self,
        subject: str,
        *,
        source: JobSource | None = None,
        path: str | Path | None = None,
        upload_id: str | None = None,
        sink: JobSink = TickStoreSink(),  # noqa: B008 - a frozen value without state
        file_name: str = "",
        source_spec: str = "",
        schema_change_policy: SchemaChangePolicyName | str = "quarantine",
        again: bool = False,
        request_id: str | None = None,
    ) -> job_pb2.Job:
        """Make a job and start it.

        Args:
            subject: The subject to judge under.
            source: Where records come from: one of `tickmesh.cleaning_sources`.
            path: Short for `source=File(path)`: a file below one of the cleaner's source roots.
            upload_id: Short for `source=Upload(upload_id)`: what `upload` answered.
            sink: Where good rows go: one of `tickmesh.cleaning_sinks`. By default the tick store,
                to the dataset of the subject's name.
            file_name: The name that format and constants are taken from; the file's own when empty.
            source_spec: The source spec, TOML; empty when column names are the schema's.
            schema_change_policy: "quarantine", "pin" or "pause": what a breaking change does.
            again: Store the rows again even if an earlier run over this source stored them.
            request_id: The same id answers the same job; a new one when None.

        Raises:
            NotFoundError: There is no such subject, file (reason SOURCE_NOT_FOUND), upload or
                database connection (CONNECTION_NOT_FOUND).
            InvalidArgumentError: The source spec is wrong, which names the key, or the sink cannot
                take such rows (INVALID_SINK).
        """
        named = [
            *([source] if source is not None else []),
            *([File(path)] if path is not None else []),
            *([Upload(upload_id)] if upload_id is not None else []),
        ]
        if len(named) != 1:
            raise InvalidArgumentError("name exactly one of source, path and upload_id")
        request = cleaner_service_pb2.CreateJobRequest(
            subject=subject,
            source=source_message(named[0]),
            sink=sink_message(sink),
            source_spec=source_spec,
            schema_change_policy=_policy(schema_change_policy),
            again=again,
            request_id=request_id or uuid.uuid4().hex,
            file_name=file_name,
        )
        return self._call(self._stub.CreateJob, request).job

    def get_job(self, job_id: str) -> job_pb2.Job:
        """One job, with the balance of its committed batches."""
        request = cleaner_service_pb2.GetJobRequest(job_id=job_id)
        return self._call(self._stub.GetJob, request).job

    def balance(self, job_id: str) -> job_pb2.Balance:
        """A job's balance as committed batch by batch."""
        return self.get_job(job_id).balance

    def audit(self, job_id: str) -> job_pb2.Balance:
        """A job's balance recomputed from sink and quarantine; scans what the sink holds."""
        request = cleaner_service_pb2.GetJobRequest(
            job_id=job_id, view=cleaner_service_pb2.JOB_VIEW_AUDITED
        )
        return self._call(self._stub.GetJob, request).audited_balance

    def list_jobs(
        self, *, state: str | None = None, subject: str | None = None
    ) -> list[job_pb2.Job]:
        """All jobs, newest first; only those in a state (such as "running") or of a subject."""
        request = cleaner_service_pb2.ListJobsRequest(
            page_size=_PAGE_SIZE,
            state=_state(state) if state else job_pb2.JOB_STATE_UNSPECIFIED,
            subject=subject or "",
        )
        jobs: list[job_pb2.Job] = []
        while True:
            answer = self._call(self._stub.ListJobs, request)
            jobs.extend(answer.jobs)
            if not answer.next_page_token:
                return jobs
            request.page_token = answer.next_page_token

    def pause_job(self, job_id: str) -> job_pb2.Job:
        """Halt a job at its next checkpoint."""
        request = cleaner_service_pb2.PauseJobRequest(job_id=job_id)
        return self._call(self._stub.PauseJob, request).job

    def resume_job(self, job_id: str) -> job_pb2.Job:
        """Let a paused job go on; approves the schema version in force."""
        request = cleaner_service_pb2.ResumeJobRequest(job_id=job_id)
        return self._call(self._stub.ResumeJob, request).job

    def cancel_job(self, job_id: str) -> job_pb2.Job:
        """End a job at its next checkpoint; what was committed stays."""
        request = cleaner_service_pb2.CancelJobRequest(job_id=job_id)
        return self._call(self._stub.CancelJob, request).job

    def watch_job(
        self, job_id: str, *, progress_seconds: float = 1.0
    ) -> Iterator[job_pb2.JobProgress]:
        """Moments of a job until it ends; the last one is of the ended job.

        A connection that breaks, or a cleaner that restarts, is asked again.

        Raises:
            NotFoundError: There is no such job.
            UnavailableError: The cleaner does not answer, or went away and stays away.
        """
        seconds, rest = divmod(round(progress_seconds * 1e9), 1_000_000_000)
        request = cleaner_service_pb2.WatchJobRequest(
            job_id=job_id, progress_interval=Duration(seconds=seconds, nanos=rest)
        )
        absence = _Absence(self._retry_seconds)
        while True:
            call = self._stub.WatchJob(request, metadata=_metadata())
            try:
                for answer in call:
                    absence.end()
                    yield answer.progress
                    if answer.progress.job.state in _ENDED:
                        return
            except grpc.RpcError as failure:
                absence.go_on(error_from_rpc(failure, address=self.address))
            finally:
                call.cancel()
            time.sleep(_RECONNECT_SECONDS)

    # Uploads ----------------------------------------------------------------------------------

    def upload(self, path: str | Path) -> str:
        """Send a file; answers the upload's id, to name in `create_job`.

        Goes on by itself where a broken connection left off.

        Raises:
            ResourceExhaustedError: It is larger than the cleaner takes.
            UnavailableError: The cleaner stays away.
        """
        file_path = Path(path)
        upload_id, offset = "", 0
        absence = _Absence(self._retry_seconds)
        while True:
            call = self._stub.UploadSource.future(
                _upload_parts(file_path, upload_id=upload_id, offset=offset),
                metadata=_metadata(),
            )
            try:
                return call.result().upload_id
            except grpc.RpcError as failure:
                error = error_from_rpc(failure, address=self.address)
            for key, value in call.initial_metadata() or ():
                if key == _UPLOAD_ID:
                    absence.end()
                    upload_id = str(value)
            expected = int(error.metadata.get("expectedOffset", offset))
            if error.reason == "UPLOAD_OFFSET" and upload_id and expected != offset:
                offset = expected
            else:
                absence.go_on(error)
            time.sleep(_RECONNECT_SECONDS)

    # Quarantine -------------------------------------------------------------------------------

    def list_quarantine(
        self,
        selected: job_pb2.QuarantineFilter | None = None,
        *,
        limit: int = 100,
    ) -> list[quarantine_pb2.QuarantinedRow]:
        """Quarantined rows with all their reasons, by id; all held back if None is given."""
        rows: list[quarantine_pb2.QuarantinedRow] = []
        request = cleaner_service_pb2.ListQuarantineRequest(filter=selected)
        while len(rows) < limit:
            request.page_size = min(limit - len(rows), _PAGE_SIZE)
            answer = self._call(self._stub.ListQuarantine, request)
            rows.extend(answer.rows)
            if not answer.next_page_token:
                break
            request.page_token = answer.next_page_token
        return rows

    def describe_quarantine(
        self,
        selected: job_pb2.QuarantineFilter | None = None,
    ) -> cleaner_service_pb2.DescribeQuarantineResponse:
        """Counts of quarantined rows by reason, with examples."""
        request = cleaner_service_pb2.DescribeQuarantineRequest(filter=selected)
        return self._call(self._stub.DescribeQuarantine, request)

    def replay_quarantine(
        self,
        selected: job_pb2.QuarantineFilter | None = None,
        *,
        schema_version: int | None = None,
        source_spec: str = "",
        request_id: str | None = None,
    ) -> job_pb2.Job:
        """Judge quarantined rows of one subject again, as a job.

        Args:
            selected: Which rows; all that are held back when None.
            schema_version: The version to judge under; the one in force when None.
            source_spec: A mended source spec, TOML; each row's own when empty.
            request_id: The same id answers the same job; a new one when None.

        Raises:
            NotFoundError: Nothing in quarantine matches.
        """
        request = cleaner_service_pb2.ReplayQuarantineRequest(
            filter=selected,
            schema_version=schema_version or 0,
            source_spec=source_spec,
            request_id=request_id or uuid.uuid4().hex,
        )
        return self._call(self._stub.ReplayQuarantine, request).job

    # Inside -----------------------------------------------------------------------------------

    def _call(self, method: grpc.UnaryUnaryMultiCallable[Any, _Answer], request: Any) -> _Answer:
        try:
            return method(request, timeout=self._timeout_seconds, metadata=_metadata())
        except grpc.RpcError as failure:
            raise error_from_rpc(failure, address=self.address) from None


def _upload_parts(
    path: Path, *, upload_id: str, offset: int
) -> Iterator[cleaner_service_pb2.UploadSourceRequest]:
    """The messages of an upload from an offset on; the digest is that of the whole file."""
    header = cleaner_service_pb2.UploadHeader(
        file_name=path.name, size_bytes=path.stat().st_size, upload_id=upload_id, offset=offset
    )
    yield cleaner_service_pb2.UploadSourceRequest(header=header)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            at = file.tell() - len(chunk)
            if unsent := chunk[max(offset - at, 0) :]:
                yield cleaner_service_pb2.UploadSourceRequest(chunk=unsent)
    yield cleaner_service_pb2.UploadSourceRequest(sha256=digest.hexdigest())


_ENDED = frozenset(
    {job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED}
)


class _Absence:
    """How long a peer that was heard may stay away."""

    def __init__(self, most_seconds: float) -> None:
        self._most_seconds = most_seconds
        self._until: float | None = None
        self._heard = False

    def end(self) -> None:
        """The peer was heard."""
        self._heard, self._until = True, None

    def go_on(self, error: TickmeshError) -> None:
        """Raise the error unless the peer may come back."""
        now = time.monotonic()
        self._until = now + self._most_seconds if self._until is None else self._until
        if not self._heard or not isinstance(error, UnavailableError) or now >= self._until:
            raise error from None


def _metadata() -> tuple[tuple[str, str], ...]:
    return ((REQUEST_ID, uuid.uuid4().hex),)


def _policy(name: str) -> job_pb2.SchemaChangePolicy.ValueType:
    try:
        return job_pb2.SchemaChangePolicy.Value(f"SCHEMA_CHANGE_POLICY_{name.upper()}")
    except ValueError:
        raise InvalidArgumentError(
            f'schema_change_policy must be "quarantine", "pin" or "pause"; it was {name!r}'
        ) from None


def _state(name: str) -> job_pb2.JobState.ValueType:
    try:
        return job_pb2.JobState.Value(f"JOB_STATE_{name.upper()}")
    except ValueError:
        raise InvalidArgumentError(f"there is no job state {name!r}") from None
