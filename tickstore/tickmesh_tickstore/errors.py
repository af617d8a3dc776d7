"""What the service refuses, beside what the engine does, and the code of each on the wire."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

from tickmesh_serving.errors import ErrorTable
from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.domain.filters import FilterInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh_serving.identifiers import IdGenerator


class ServiceError(domain.TickStoreError):
    """A refusal that can also say which parts of the request are at fault.

    Attributes:
        violations: `(field, description)` for each part at fault.
        resource: `(type, name)` of the thing that is missing, if one is.
        retry_after_seconds: How long to wait before the same call can succeed, if waiting helps.
    """

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[tuple[str, str]] = (),
        resource: tuple[str, str] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, metadata=metadata)
        self.violations = tuple(violations)
        self.resource = resource
        self.retry_after_seconds = retry_after_seconds


class InvalidRequestError(ServiceError):
    """A field of the request is missing or out of bounds."""

    reason = "INVALID_ARGUMENT"


class SubjectUnknownError(ServiceError):
    """The registry has no such subject."""

    reason = "SUBJECT_NOT_FOUND"


class VersionUnknownError(ServiceError):
    """The subject has no such version."""

    reason = "VERSION_NOT_FOUND"


class ColumnsRefusedError(ServiceError):
    """Columns are missing, unknown, or of types that cannot be changed without loss."""

    reason = "WRONG_COLUMNS"


class NaiveTimestampError(ServiceError):
    """A timestamp column names no time zone, so its instants are unknown."""

    reason = "NAIVE_TIMESTAMP"


class InvalidRowsError(ServiceError):
    """Rows are not valid under the schema version they were put under."""

    reason = "ROWS_REFUSED"


class MalformedDataError(ServiceError):
    """The Arrow data or its metadata cannot be read."""

    reason = "MALFORMED_DATA"


class TicketInvalidError(ServiceError):
    """A ticket is forged, malformed, or made for another principal or key."""

    reason = "TICKET_INVALID"


class TicketExpiredError(ServiceError):
    """A ticket is past its time."""

    reason = "TICKET_EXPIRED"


class SlowConsumerError(ServiceError):
    """The reader of a live tail fell too far behind and is told where to resume."""

    reason = "SLOW_CONSUMER"


class LimitReachedError(ServiceError):
    """A stream, or a dataset, is at a limit; the same call may succeed later (T11)."""

    reason = "LIMIT_EXCEEDED"


class RegistryUnavailableError(ServiceError):
    """The schema version was never seen here and the registry does not answer."""

    reason = "REGISTRY_UNAVAILABLE"


class DrainingError(ServiceError):
    """The server is draining."""

    reason = "DRAINING"


class TokenInvalidError(ServiceError):
    """A position token is malformed or of another dataset."""

    reason = "TOKEN_INVALID"


CODES: Mapping[type[Exception], grpc.StatusCode] = {
    InvalidRequestError: grpc.StatusCode.INVALID_ARGUMENT,
    SubjectUnknownError: grpc.StatusCode.NOT_FOUND,
    VersionUnknownError: grpc.StatusCode.NOT_FOUND,
    ColumnsRefusedError: grpc.StatusCode.INVALID_ARGUMENT,
    NaiveTimestampError: grpc.StatusCode.INVALID_ARGUMENT,
    InvalidRowsError: grpc.StatusCode.INVALID_ARGUMENT,
    MalformedDataError: grpc.StatusCode.INVALID_ARGUMENT,
    TicketInvalidError: grpc.StatusCode.PERMISSION_DENIED,
    TicketExpiredError: grpc.StatusCode.FAILED_PRECONDITION,
    SlowConsumerError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    LimitReachedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    RegistryUnavailableError: grpc.StatusCode.UNAVAILABLE,
    DrainingError: grpc.StatusCode.UNAVAILABLE,
    TokenInvalidError: grpc.StatusCode.INVALID_ARGUMENT,
    domain.InvalidArgumentError: grpc.StatusCode.INVALID_ARGUMENT,
    FilterInvalidError: grpc.StatusCode.INVALID_ARGUMENT,
    domain.DatasetNotFoundError: grpc.StatusCode.NOT_FOUND,
    domain.DatasetAlreadyExistsError: grpc.StatusCode.ALREADY_EXISTS,
    domain.SchemaVersionNotFoundError: grpc.StatusCode.NOT_FOUND,
    domain.WrongColumnsError: grpc.StatusCode.INVALID_ARGUMENT,
    domain.RowsRefusedError: grpc.StatusCode.INVALID_ARGUMENT,
    domain.SequenceGapError: grpc.StatusCode.FAILED_PRECONDITION,
    domain.ProducerFencedError: grpc.StatusCode.FAILED_PRECONDITION,
    domain.ProducerNotOpenError: grpc.StatusCode.FAILED_PRECONDITION,
    domain.StoreFailedError: grpc.StatusCode.UNAVAILABLE,
    domain.DatasetDamagedError: grpc.StatusCode.FAILED_PRECONDITION,
    domain.StoreClosedError: grpc.StatusCode.UNAVAILABLE,
    domain.DiskFullError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    domain.SnapshotGoneError: grpc.StatusCode.OUT_OF_RANGE,
    domain.PositionExpiredError: grpc.StatusCode.OUT_OF_RANGE,
    domain.SnapshotNotFoundError: grpc.StatusCode.NOT_FOUND,
    domain.SnapshotExistsError: grpc.StatusCode.ALREADY_EXISTS,
    domain.DatasetHeldError: grpc.StatusCode.FAILED_PRECONDITION,
    domain.FutureRevisionError: grpc.StatusCode.OUT_OF_RANGE,
    domain.UploadIncompleteError: grpc.StatusCode.FAILED_PRECONDITION,
    domain.LimitExceededError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    domain.NoEventTimeError: grpc.StatusCode.FAILED_PRECONDITION,
    domain.QueryInvalidError: grpc.StatusCode.INVALID_ARGUMENT,
    domain.QueryTimeoutError: grpc.StatusCode.DEADLINE_EXCEEDED,
    domain.NoPriceError: grpc.StatusCode.FAILED_PRECONDITION,
    domain.NoSizeError: grpc.StatusCode.FAILED_PRECONDITION,
    domain.NoSymbolError: grpc.StatusCode.FAILED_PRECONDITION,
    domain.VersionNotReadableError: grpc.StatusCode.FAILED_PRECONDITION,
    domain.GenerationNotReadableError: grpc.StatusCode.FAILED_PRECONDITION,
}


def error_table(*, ids: IdGenerator | None = None) -> ErrorTable:
    """The one table behind both transports."""
    return ErrorTable(CODES, ids=ids)
