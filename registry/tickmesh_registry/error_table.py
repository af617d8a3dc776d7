"""From the registry's errors to canonical codes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from grpc import StatusCode

from tickmesh_serving.errors import ErrorTable

from .domain import errors

if TYPE_CHECKING:
    from collections.abc import Mapping


_CODES: Mapping[type[Exception], StatusCode] = {
    errors.InvalidArgumentError: StatusCode.INVALID_ARGUMENT,
    errors.SubjectNotFoundError: StatusCode.NOT_FOUND,
    errors.VersionNotFoundError: StatusCode.NOT_FOUND,
    errors.SchemaNotFoundError: StatusCode.NOT_FOUND,
    errors.NothingInForceError: StatusCode.NOT_FOUND,
    errors.IncompatibleSchemaError: StatusCode.FAILED_PRECONDITION,
    errors.EpochChangedError: StatusCode.FAILED_PRECONDITION,
    errors.WrongVersionStateError: StatusCode.FAILED_PRECONDITION,
    errors.VersionReferencedError: StatusCode.FAILED_PRECONDITION,
    errors.VersionRemovedError: StatusCode.FAILED_PRECONDITION,
    errors.VersionConflictError: StatusCode.ABORTED,
    errors.RequestIdReusedError: StatusCode.ABORTED,
    errors.RevisionCompactedError: StatusCode.OUT_OF_RANGE,
    errors.RevisionInFutureError: StatusCode.OUT_OF_RANGE,
    errors.SlowWatcherError: StatusCode.RESOURCE_EXHAUSTED,
    errors.LimitExceededError: StatusCode.RESOURCE_EXHAUSTED,
    errors.DrainingError: StatusCode.UNAVAILABLE,
    errors.StoreUnavailableError: StatusCode.UNAVAILABLE,
    errors.PermissionDeniedError: StatusCode.PERMISSION_DENIED,
    errors.DeadlineExceededError: StatusCode.DEADLINE_EXCEEDED,
}


def error_table() -> ErrorTable:
    """The one table of this service."""
    return ErrorTable(_CODES)


def canonical_code(error: errors.RegistryError) -> int:
    """The number of an error's canonical code, for answers that carry errors themselves."""
    code = next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)
    number: int = code.value[0]
    return number
