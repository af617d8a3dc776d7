"""Every error the mesh raises, one tree.

    TickmeshError                   message, code, reason, metadata, request_id, retryable, …
    ├── InvalidArgumentError        INVALID_ARGUMENT      .violations says which fields
    ├── NotFoundError               NOT_FOUND             .resource says what was looked for
    ├── AlreadyExistsError          ALREADY_EXISTS
    ├── ConflictError               ABORTED               read again and retry
    ├── FailedPreconditionError     FAILED_PRECONDITION
    │   ├── IncompatibleSchemaError     reason INCOMPATIBLE_SCHEMA; .violations says what breaks
    │   └── EpochChangedError           reason EPOCH_CHANGED: another store, or one restored
    ├── OutOfRangeError             OUT_OF_RANGE
    │   └── RevisionCompactedError      reason REVISION_COMPACTED; .compact_revision
    ├── ResourceExhaustedError      RESOURCE_EXHAUSTED
    │   └── WatchLaggedError            reason SLOW_WATCHER; resume from the last revision handled
    ├── UnauthenticatedError        UNAUTHENTICATED
    ├── PermissionDeniedError       PERMISSION_DENIED
    ├── UnavailableError            UNAVAILABLE           .retry_after_seconds, where known
    ├── DeadlineExceededError       DEADLINE_EXCEEDED     the outcome is unknown
    ├── UnimplementedError          UNIMPLEMENTED
    ├── InternalError               INTERNAL              a defect: report metadata["errorId"]
    └── ConfigError                 never crosses the wire: a setting is wrong; .key names it

The class follows from the pair (domain, reason), else from the code; never from the message.
"""

from __future__ import annotations

import shlex
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ERROR_DOMAIN = "tickmesh"
"""The `domain` of every `google.rpc.ErrorInfo` the mesh sends."""


class Violation(NamedTuple):
    """One thing wrong with a request: where, and what to do about it."""

    field: str
    """Path of the field, or of the schema's element, that is wrong."""
    description: str
    """What was expected, what came, how to mend it."""


class ResourceName(NamedTuple):
    """What a call was about."""

    type: str
    """The kind: `subject`, `dataset`, `job` …"""
    name: str
    """Its name."""


class TickmeshError(Exception):
    """Any failure of the mesh; catch this to catch them all.

    Attributes:
        message: what was expected, what came, and what to do.
        code: canonical gRPC code name, such as `NOT_FOUND`.
        reason: stable UPPER_SNAKE name of the cause; empty where the peer gave none.
        domain: who defines `reason`: `tickmesh`, or empty where the peer gave none.
        metadata: every dynamic value of the message, by lowerCamel name.
        request_id: finds the call in the servers' logs; None where no server was reached.
        violations: what is wrong with the request, part by part.
        resource: what the call was about, where the server said so.
        retry_after_seconds: how long to wait before a retry, where the server said so.
        next_command: a command line that helps, where there is one.
    """

    default_code: ClassVar[str] = "UNKNOWN"
    default_reason: ClassVar[str] = ""
    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        reason: str | None = None,
        domain: str = ERROR_DOMAIN,
        metadata: Mapping[str, str] = MappingProxyType({}),
        request_id: str | None = None,
        violations: Sequence[Violation] = (),
        resource: ResourceName | None = None,
        retry_after_seconds: float | None = None,
        next_command: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code if code is not None else self.default_code
        self.reason = reason if reason is not None else self.default_reason
        self.domain = domain
        self.metadata = metadata
        self.request_id = request_id
        self.violations = tuple(violations)
        self.resource = resource
        self.retry_after_seconds = retry_after_seconds
        self.next_command = next_command or _next_command(self.reason, metadata)

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed later: the peer was away, or said when to come back."""
        return self.code == "UNAVAILABLE" or self.retry_after_seconds is not None

    def __str__(self) -> str:
        lines = [self.message]
        lines += [
            f"  {field}: {description}"
            for field, description in self.violations
            if description not in self.message
        ]
        if self.next_command:
            lines.append(f"  try: {self.next_command}")
        return "\n".join(lines)


class InvalidArgumentError(TickmeshError):
    """A field of the request is missing, malformed or out of bounds; see `violations`."""

    default_code = "INVALID_ARGUMENT"
    default_reason = "INVALID_ARGUMENT"


class NotFoundError(TickmeshError):
    """What the call names does not exist."""

    default_code = "NOT_FOUND"


class AlreadyExistsError(TickmeshError):
    """What the call would create exists already."""

    default_code = "ALREADY_EXISTS"


class ConflictError(TickmeshError):
    """Somebody else was faster: read again, decide again, retry."""

    default_code = "ABORTED"


class FailedPreconditionError(TickmeshError):
    """The system is not in a state in which the call may be done."""

    default_code = "FAILED_PRECONDITION"


class IncompatibleSchemaError(FailedPreconditionError):
    """The schema would break the subject's compatibility mode; `violations` says where."""

    default_reason = "INCOMPATIBLE_SCHEMA"


class EpochChangedError(FailedPreconditionError):
    """A token belongs to another store, or to the time before a restore: start from a snapshot."""

    default_reason = "EPOCH_CHANGED"


class OutOfRangeError(TickmeshError):
    """A position lies before the first or after the last one kept."""

    default_code = "OUT_OF_RANGE"


class RevisionCompactedError(OutOfRangeError):
    """The revision to start from was compacted away: take a snapshot and follow it."""

    default_reason = "REVISION_COMPACTED"

    @property
    def compact_revision(self) -> int | None:
        """The oldest revision that can still be resumed from, where the server said so."""
        text = self.metadata.get("compactRevision", "")
        return int(text) if text.isdigit() else None


class ResourceExhaustedError(TickmeshError):
    """A configured limit was reached."""

    default_code = "RESOURCE_EXHAUSTED"
    default_reason = "LIMIT_EXCEEDED"


class WatchLaggedError(ResourceExhaustedError):
    """The watcher did not read for too long: resume from the last revision handled."""

    default_reason = "SLOW_WATCHER"


class UnauthenticatedError(TickmeshError):
    """The call carries no valid identity."""

    default_code = "UNAUTHENTICATED"
    default_reason = "UNAUTHENTICATED"


class PermissionDeniedError(TickmeshError):
    """The caller lacks the permission that `metadata["permission"]` names."""

    default_code = "PERMISSION_DENIED"
    default_reason = "PERMISSION_DENIED"


class UnavailableError(TickmeshError):
    """The peer is away, starting or draining: retry later."""

    default_code = "UNAVAILABLE"
    exit_code = 69


class DeadlineExceededError(TickmeshError):
    """The deadline passed before the answer; whether the call took effect is unknown."""

    default_code = "DEADLINE_EXCEEDED"
    default_reason = "DEADLINE_EXCEEDED"
    exit_code = 69


class UnimplementedError(TickmeshError):
    """The peer does not know the call: an older server, or the wrong port."""

    default_code = "UNIMPLEMENTED"
    default_reason = "UNIMPLEMENTED"


class InternalError(TickmeshError):
    """A defect of the server; its log holds the details under `metadata["errorId"]`."""

    default_code = "INTERNAL"
    default_reason = "INTERNAL"


class ConfigError(TickmeshError):
    """A setting is wrong.

    Attributes:
        key: the setting, as in `registry.serving.grpc_port`; None where no single one is to blame.
    """

    default_code = "INVALID_ARGUMENT"
    default_reason = "INVALID_CONFIGURATION"
    exit_code = 78

    def __init__(self, message: str, *, key: str | None = None) -> None:
        super().__init__(message if key is None else f"{key}: {message}")
        self.key = key


_BY_REASON: Mapping[tuple[str, str], type[TickmeshError]] = {
    (ERROR_DOMAIN, error.default_reason): error
    for error in (
        IncompatibleSchemaError,
        EpochChangedError,
        RevisionCompactedError,
        WatchLaggedError,
    )
}

_BY_CODE: Mapping[str, type[TickmeshError]] = {
    error.default_code: error
    for error in (
        InvalidArgumentError,
        NotFoundError,
        AlreadyExistsError,
        ConflictError,
        FailedPreconditionError,
        OutOfRangeError,
        ResourceExhaustedError,
        UnauthenticatedError,
        PermissionDeniedError,
        UnavailableError,
        DeadlineExceededError,
        UnimplementedError,
        InternalError,
    )
}

_NEXT_COMMANDS: Mapping[str, str] = {
    "SUBJECT_NOT_FOUND": "tickmesh schema list",
    "INCOMPATIBLE_SCHEMA": "tickmesh schema check",
    "DATASET_NOT_FOUND": "tickmesh ticks list",
    "DATASET_DAMAGED": "tickmesh ticks stats {dataset}",
    "DATASET_HELD": "tickmesh ticks snapshot list",
    "SNAPSHOT_NOT_FOUND": "tickmesh ticks snapshot list",
    "SNAPSHOT_EXISTS": "tickmesh ticks snapshot list",
    "REVISION_OUT_OF_RANGE": "tickmesh ticks list",
    "VERSION_NOT_FOUND": "tickmesh schema list {subject}",
    "GENERATION_NOT_READABLE": "tickmesh ticks dataset show {dataset}",
    "VERSION_NOT_READABLE": "tickmesh schema list {dataset}",
    "ROLE_MISSING": "tickmesh schema get {dataset}",
    "POSITION_EXPIRED": "tickmesh ticks tail {dataset}",
    "TOKEN_INVALID": "tickmesh ticks tail {dataset}",
    "JOB_NOT_FOUND": "tickmesh job list",
    "QUARANTINE_EMPTY": "tickmesh quarantine describe",
    "UNREACHABLE": "tickmesh up",
    "TLS_HANDSHAKE_FAILED": "tickmesh config show",
}
"""By reason; names in braces stand for metadata of the error."""


def _next_command(reason: str, metadata: Mapping[str, str]) -> str | None:
    """The command line that helps, where the error says what it is about."""
    words = {name: shlex.quote(value) for name, value in metadata.items()}
    try:
        return _NEXT_COMMANDS.get(reason, "").format_map(words) or None
    except KeyError:
        return None


def error_class(*, domain: str, reason: str, code: str) -> type[TickmeshError]:
    """Return the class for a failure: by (domain, reason), else by the code's name."""
    return _BY_REASON.get((domain, reason)) or _BY_CODE.get(code, TickmeshError)
