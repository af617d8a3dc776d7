"""Why a call or a job of the cleaner fails.

Every error carries the fields the servers' error table reads: `reason` (a value of the contract's
`ErrorReason`, without its prefix), `message` (what was expected, what came, what to do), and
`metadata` with every changing part of the message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class CleanerError(Exception):
    """The root of everything the cleaner refuses on purpose."""

    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, str] = metadata


class InvalidArgumentError(CleanerError):
    """A field of a request is missing or out of bounds."""

    reason = "INVALID_ARGUMENT"

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}", field=field)
        self.violations = ((field, description),)


class JobNotFoundError(CleanerError):
    """No job has this id."""

    reason = "JOB_NOT_FOUND"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"no job has the id {job_id!r}; list them with ListJobs", jobId=job_id)
        self.resource = ("job", job_id)


class SubjectNotFoundError(CleanerError):
    """The registry knows no such subject."""

    reason = "SUBJECT_NOT_FOUND"

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"the registry knows no subject {subject!r}; infer and register a schema first "
            f"(tickmesh schema infer FILE --subject {subject}, tickmesh schema register)",
            subject=subject,
        )
        self.resource = ("subject", subject)


class SourceNotFoundError(CleanerError):
    """The file does not exist, or lies outside the source roots."""

    reason = "SOURCE_NOT_FOUND"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no file {name!r} below the cleaner's source roots; "
            "check the path, or send the file by UploadSource",
            source=name,
        )
        self.resource = ("source", name)


class HostNotAllowedError(CleanerError):
    """A feed's host is not configured."""

    reason = "HOST_NOT_ALLOWED"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"feeds of {host} are not read by this cleaner; its configuration names the hosts that "
            "are (sources.hosts)",
            host=host,
        )


class FeedRefusedError(CleanerError):
    """A feed answered what no further try will change."""

    reason = "SOURCE_UNREADABLE"

    def __init__(self, name: str, *, cause: str) -> None:
        super().__init__(
            f"{name}: {cause}; what was received before is committed and its balance holds",
            source=name,
        )


class InvalidSourceSpecError(CleanerError):
    """The source spec is wrong at the key named."""

    reason = "INVALID_SOURCE_SPEC"

    def __init__(self, message: str, *, key: str) -> None:
        super().__init__(f"source spec, {key or 'top level'}: {message}", key=key)
        self.violations = ((f"source_spec.{key}" if key else "source_spec", message),)


class InvalidRuleError(CleanerError):
    """A tick rule of the schema is wrong at the place named."""

    reason = "INVALID_RULE"

    def __init__(self, message: str, *, pointer: str) -> None:
        super().__init__(f"tick rule at {pointer or 'the root'}: {message}", pointer=pointer)
        self.violations = ((pointer, message),)


class SourceUnreadableError(CleanerError):
    """The source cannot be decoded as the spec says."""

    reason = "SOURCE_UNREADABLE"

    def __init__(self, name: str, *, cause: str, offset: int) -> None:
        message = f"{name} cannot be read: {cause}"
        if offset:
            message = (
                f"{name} cannot be read on from byte {offset}: {cause}; what stands before it is "
                "committed and its balance holds"
            )
        super().__init__(message, source=name, offset=str(offset))


class SourceDamagedError(CleanerError):
    """The source is not whole; found before any of its rows was forwarded."""

    reason = "SOURCE_UNREADABLE"

    def __init__(self, name: str, *, cause: str, offset: int) -> None:
        super().__init__(
            f"{name} is damaged from unpacked byte {offset} on: {cause}; nothing of it was stored",
            source=name,
            offset=str(offset),
        )


class SourceChangedError(CleanerError):
    """The source changed while it was read."""

    reason = "SOURCE_CHANGED"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is no longer the file this job began with; "
            "clean it again as a new job once nothing writes to it",
            source=name,
        )


class SourceRangeLostError(CleanerError):
    """Bytes that are needed a second time are not there any more."""

    reason = "SOURCE_CHANGED"

    def __init__(self, name: str, *, first: int, last: int) -> None:
        super().__init__(
            f"bytes {first} to {last} of an earlier {name} are needed again, and no file beside it "
            "holds them any more; put the rotated file back and resume the job",
            source=name,
            first=str(first),
            last=str(last),
        )


class JobStateError(CleanerError):
    """The job's state does not allow this."""

    reason = "JOB_STATE"


class UploadNotFoundError(CleanerError):
    """No upload has this id."""

    reason = "UPLOAD_NOT_FOUND"

    def __init__(self, upload_id: str) -> None:
        super().__init__(
            f"no finished upload has the id {upload_id!r}; send the file by UploadSource",
            uploadId=upload_id,
        )
        self.resource = ("upload", upload_id)


class UploadOffsetError(CleanerError):
    """The upload must go on at the offset named."""

    reason = "UPLOAD_OFFSET"

    def __init__(self, upload_id: str, *, expected: int, got: int) -> None:
        super().__init__(
            f"upload {upload_id} goes on at offset {expected}, not {got}; send from there",
            uploadId=upload_id,
            expectedOffset=str(expected),
            offset=str(got),
        )


class DigestMismatchError(CleanerError):
    """The bytes received do not have the digest sent."""

    reason = "DIGEST_MISMATCH"

    def __init__(self, *, expected: str, actual: str) -> None:
        super().__init__(
            f"the bytes received have SHA-256 {actual}, the digest sent is {expected}; "
            "the upload was dropped, send it again",
            expected=expected,
            actual=actual,
        )


class QuarantineEmptyError(CleanerError):
    """Nothing in quarantine matches."""

    reason = "QUARANTINE_EMPTY"

    def __init__(self) -> None:
        super().__init__(
            "no row in quarantine matches the filter, or those that do are held by a replay "
            "that still runs; widen the filter or see ListJobs"
        )


class LimitExceededError(CleanerError):
    """A limit was reached."""

    reason = "LIMIT_EXCEEDED"

    def __init__(self, what: str, *, limit: int) -> None:
        super().__init__(f"{what}: the limit is {limit}", limit=str(limit))


class RegistryUnavailableError(CleanerError):
    """The registry does not answer and the schema was never seen here."""

    reason = "REGISTRY_UNAVAILABLE"
    retry_after_seconds = 1.0

    def __init__(self, subject: str) -> None:
        super().__init__(
            f"the registry does not answer and no schema of {subject!r} was ever seen here; "
            "the job goes on by itself once it does",
            subject=subject,
        )


class NothingInForceError(RegistryUnavailableError):
    """The subject has versions, but none is in force."""

    def __init__(self, subject: str, *, detail: str) -> None:
        message = f"no version of {subject!r} is in force: {detail}; the job goes on by itself then"
        CleanerError.__init__(self, message, subject=subject)


class SinkUnavailableError(CleanerError):
    """The sink does not answer, or takes no rows for now."""

    reason = "SINK_UNAVAILABLE"
    retry_after_seconds = 1.0


class TickStoreUnavailableError(SinkUnavailableError):
    """The tick store does not answer, or takes no rows for now."""

    reason = "TICKSTORE_UNAVAILABLE"

    def __init__(self, detail: str = "") -> None:
        what = f"takes no rows for now ({detail.rstrip('.')})" if detail else "does not answer"
        super().__init__(f"the tick store {what}; the job goes on by itself once it does")


class LakeUnavailableError(SinkUnavailableError):
    """The directory of a Parquet dataset cannot be written for now."""

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"the Parquet dataset cannot be written ({cause}); the job goes on by itself once it "
            "can be",
            cause=cause,
        )


class DatabaseUnavailableError(SinkUnavailableError):
    """A configured database does not answer."""

    def __init__(self, connection: str) -> None:
        super().__init__(
            f"the database {connection!r} does not answer; the job goes on by itself once it does",
            connection=connection,
        )


class SourceUnavailableError(CleanerError):
    """A feed or a database rows come from does not answer."""

    reason = "SOURCE_UNAVAILABLE"
    retry_after_seconds = 1.0

    def __init__(self, name: str, *, cause: str = "it does not answer") -> None:
        super().__init__(f"{name}: {cause}; the job tries again by itself", source=name)


class QueryRefusedError(CleanerError):
    """A database refuses a query, or its answer is not what the source promises."""

    reason = "SOURCE_UNREADABLE"

    def __init__(self, name: str, *, cause: str) -> None:
        super().__init__(f"{name}: {cause}", source=name)


class InvalidSinkError(CleanerError):
    """The sink cannot take these rows."""

    reason = "INVALID_SINK"

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(f"sink: {message}", **metadata)
        self.violations = (("sink", message),)


class FencedError(CleanerError):
    """Somebody else opened the producer since: this process owns it no longer."""

    reason = "JOB_STATE"

    def __init__(self, *, epoch: int, current: int) -> None:
        super().__init__(
            f"producer epoch {epoch} is fenced: epoch {current} was opened since, by another "
            "cleaner; only one may carry a source to its sink",
            epoch=str(epoch),
            currentEpoch=str(current),
        )


class ConnectionNotFoundError(CleanerError):
    """No database connection has this name."""

    reason = "CONNECTION_NOT_FOUND"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"no database connection is named {name!r}; the cleaner's configuration names them in "
            "tables [cleaner.databases.NAME]",
            connection=name,
        )
        self.resource = ("connection", name)
