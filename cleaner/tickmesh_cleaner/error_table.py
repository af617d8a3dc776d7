"""From the cleaner's errors to canonical codes."""

from __future__ import annotations

from grpc import StatusCode

from tickmesh_cleaner.domain import errors
from tickmesh_serving.errors import ErrorTable


def error_table() -> ErrorTable:
    """The one table of this service."""
    return ErrorTable(
        {
            errors.InvalidArgumentError: StatusCode.INVALID_ARGUMENT,
            errors.InvalidSourceSpecError: StatusCode.INVALID_ARGUMENT,
            errors.HostNotAllowedError: StatusCode.PERMISSION_DENIED,
            errors.FeedRefusedError: StatusCode.INVALID_ARGUMENT,
            errors.InvalidRuleError: StatusCode.INVALID_ARGUMENT,
            errors.SourceDamagedError: StatusCode.INVALID_ARGUMENT,
            errors.SourceUnreadableError: StatusCode.INVALID_ARGUMENT,
            errors.DigestMismatchError: StatusCode.INVALID_ARGUMENT,
            errors.JobNotFoundError: StatusCode.NOT_FOUND,
            errors.SubjectNotFoundError: StatusCode.NOT_FOUND,
            errors.SourceNotFoundError: StatusCode.NOT_FOUND,
            errors.UploadNotFoundError: StatusCode.NOT_FOUND,
            errors.QuarantineEmptyError: StatusCode.NOT_FOUND,
            errors.SourceChangedError: StatusCode.FAILED_PRECONDITION,
            errors.SourceRangeLostError: StatusCode.FAILED_PRECONDITION,
            errors.JobStateError: StatusCode.FAILED_PRECONDITION,
            errors.UploadOffsetError: StatusCode.FAILED_PRECONDITION,
            errors.LimitExceededError: StatusCode.RESOURCE_EXHAUSTED,
            errors.RegistryUnavailableError: StatusCode.UNAVAILABLE,
            errors.SinkUnavailableError: StatusCode.UNAVAILABLE,
            errors.SourceUnavailableError: StatusCode.UNAVAILABLE,
            errors.InvalidSinkError: StatusCode.INVALID_ARGUMENT,
            errors.FencedError: StatusCode.FAILED_PRECONDITION,
            errors.ConnectionNotFoundError: StatusCode.NOT_FOUND,
        }
    )
