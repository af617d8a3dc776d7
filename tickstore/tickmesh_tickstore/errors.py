"""What the tick store refuses and why: one exception class per reason of the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class TickStoreError(Exception):
    """A refusal with a reason a program can act on and a message a person can.

    Attributes:
        reason: The value of the contract's `ErrorReason`, without its prefix.
        message: What was expected, what came, and what to do.
        metadata: Every dynamic value of the message, by lower camel case name.
        violations: `(field, description)` for each part of the request at fault.
        resource: `(type, name)` of the thing that is missing, if one is.
        retry_after_seconds: How long to wait before the same call can succeed, if waiting helps.
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[tuple[str, str]] = (),
        resource: tuple[str, str] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: dict[str, str] = dict(metadata or {})
        self.violations = tuple(violations)
        self.resource = resource
        self.retry_after_seconds = retry_after_seconds

    def with_metadata(self, **metadata: str) -> TickStoreError:
        """Adds what only the caller knows, such as the rows a stream has stored, and returns self."""
        self.metadata.update(metadata)
        return self


class InvalidRequestError(TickStoreError):
    """A field of the request is missing or out of bounds."""

    reason = "INVALID_ARGUMENT"


class SubjectUnknownError(TickStoreError):
    """The registry has no such subject."""

    reason = "SUBJECT_NOT_FOUND"


class VersionUnknownError(TickStoreError):
    """The subject has no such version."""

    reason = "VERSION_NOT_FOUND"


class WrongColumnsError(TickStoreError):
    """Columns are missing, unknown, or of types that cannot be changed without loss."""

    reason = "WRONG_COLUMNS"


class NaiveTimestampError(TickStoreError):
    """A timestamp column names no time zone, so its instants are unknown."""

    reason = "NAIVE_TIMESTAMP"


class RowsRefusedError(TickStoreError):
    """Rows are not valid under the schema version they were put under."""

    reason = "ROWS_REFUSED"


class MalformedDataError(TickStoreError):
    """The Arrow data or its metadata cannot be read."""

    reason = "MALFORMED_DATA"


class UploadIncompleteError(TickStoreError):
    """An atomic upload ended without its marker, or the marker does not match."""

    reason = "UPLOAD_INCOMPLETE"


class TicketInvalidError(TickStoreError):
    """A ticket is forged, malformed, or made for another principal or key."""

    reason = "TICKET_INVALID"


class TicketExpiredError(TickStoreError):
    """A ticket is past its time."""

    reason = "TICKET_EXPIRED"


class VersionNotReadableError(TickStoreError):
    """Rows of another schema version cannot be read as asked without loss."""

    reason = "VERSION_NOT_READABLE"


class LimitExceededError(TickStoreError):
    """A bound of the store was reached; the same call can succeed later or in smaller parts."""

    reason = "LIMIT_EXCEEDED"


class SlowConsumerError(TickStoreError):
    """The reader of a live tail fell too far behind and is told where to resume."""

    reason = "SLOW_CONSUMER"


class RegistryUnavailableError(TickStoreError):
    """The schema version was never seen here and the registry does not answer."""

    reason = "REGISTRY_UNAVAILABLE"


class DrainingError(TickStoreError):
    """The server is draining."""

    reason = "DRAINING"


class TokenInvalidError(TickStoreError):
    """A position token is malformed or of another dataset."""

    reason = "TOKEN_INVALID"
