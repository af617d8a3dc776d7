"""Every way a registry call can fail.

Each error names what was expected, what came and how to mend it. `reason` is the name the wire
uses; every dynamic value of the message stands in `metadata` too, so that programs need not parse
sentences.

    RegistryError
    ├── InvalidArgumentError ── InvalidSchemaError
    ├── SubjectNotFoundError, VersionNotFoundError, SchemaNotFoundError, NothingInForceError
    ├── IncompatibleSchemaError
    ├── VersionConflictError, RequestIdReusedError
    ├── WrongVersionStateError, VersionReferencedError, VersionRemovedError
    ├── RevisionCompactedError, RevisionInFutureError, EpochChangedError
    ├── SlowWatcherError, LimitExceededError
    ├── DrainingError, StoreUnavailableError
    └── PermissionDeniedError, DeadlineExceededError
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RegistryError(Exception):
    """A call the registry refuses.

    Attributes:
        reason: Stable upper-case code.
        message: What was expected, what came, what to do.
        metadata: Every dynamic value of the message, keys in lower camel case.
        violations: Pairs of (field or rule, description) for refusals that name several.
        resource: (type, name) of what was not found, if anything was.
        retry_after_seconds: How long to wait before a retry, when a retry can help.
    """

    reason: ClassVar[str]

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
        self.metadata: Mapping[str, str] = dict(metadata or {})
        self.violations = tuple(violations)
        self.resource = resource
        self.retry_after_seconds = retry_after_seconds


class InvalidArgumentError(RegistryError):
    """A field of the request is missing or out of bounds."""

    reason = "INVALID_ARGUMENT"

    @classmethod
    def of(cls, field: str, description: str) -> InvalidArgumentError:
        """Build the error for one field.

        Args:
            field: The field as the request names it.
            description: What it must be, and what it was.
        """
        return cls(
            f"{field}: {description}",
            metadata={"field": field},
            violations=((field, description),),
        )


class InvalidSchemaError(InvalidArgumentError):
    """The text is no valid schema of its dialect, or admits no row."""

    reason = "INVALID_SCHEMA"


class SubjectNotFoundError(RegistryError):
    """No such subject."""

    reason = "SUBJECT_NOT_FOUND"

    @classmethod
    def of(cls, subject: str) -> SubjectNotFoundError:
        """Build the error for a subject name."""
        return cls(
            f"subject {subject!r} has no versions; list the subjects, or register the first one",
            metadata={"subject": subject},
            resource=("subject", subject),
        )


class VersionNotFoundError(RegistryError):
    """The subject has no such version."""

    reason = "VERSION_NOT_FOUND"

    @classmethod
    def of(cls, subject: str, version: int) -> VersionNotFoundError:
        """Build the error for a version number of a subject."""
        return cls(
            f"subject {subject!r} has no version {version}; list its versions",
            metadata={"subject": subject, "version": str(version)},
            resource=("version", f"{subject}/{version}"),
        )


class SchemaNotFoundError(RegistryError):
    """No schema has this id or fingerprint."""

    reason = "SCHEMA_NOT_FOUND"

    @classmethod
    def of(cls, kind: str, value: str) -> SchemaNotFoundError:
        """Build the error for a lookup by `kind` (schemaId or fingerprint)."""
        return cls(
            f"no schema has the {kind} {value}; ids are given by registration and never reused",
            metadata={kind: value},
            resource=("schema", value),
        )


class NothingInForceError(RegistryError):
    """No version of the subject is in force at the instant asked."""

    reason = "NOTHING_IN_FORCE"


class IncompatibleSchemaError(RegistryError):
    """The schema would break the subject's compatibility mode."""

    reason = "INCOMPATIBLE_SCHEMA"


class VersionConflictError(RegistryError):
    """The latest version is not the expected one."""

    reason = "VERSION_CONFLICT"


class RequestIdReusedError(RegistryError):
    """The request id was used before with another content."""

    reason = "REQUEST_ID_REUSED"


class WrongVersionStateError(RegistryError):
    """The version is in a state that the change does not start from."""

    reason = "WRONG_VERSION_STATE"


class VersionReferencedError(RegistryError):
    """Other versions refer to this one, so it cannot be removed for good."""

    reason = "VERSION_REFERENCED"


class VersionRemovedError(RegistryError):
    """The version was removed for good."""

    reason = "VERSION_REMOVED"

    @classmethod
    def of(cls, subject: str, version: int) -> VersionRemovedError:
        """Build the error for a version number of a subject."""
        return cls(
            f"version {version} of {subject!r} was removed for good: its text is gone; use another "
            "version",
            metadata={"subject": subject, "version": str(version)},
            resource=("version", f"{subject}/{version}"),
        )


class RevisionCompactedError(RegistryError):
    """The start revision was compacted away."""

    reason = "REVISION_COMPACTED"

    @classmethod
    def of(cls, *, asked: int, compacted: int, current: int) -> RevisionCompactedError:
        """Build the error with all three revisions."""
        return cls(
            f"changes after revision {asked} are no longer kept: the log begins after revision "
            f"{compacted} and stands at {current}; start a watch with a snapshot",
            metadata={
                "askedRevision": str(asked),
                "compactRevision": str(compacted),
                "currentRevision": str(current),
            },
        )


class RevisionInFutureError(RegistryError):
    """The start revision lies in the future of the store."""

    reason = "REVISION_IN_FUTURE"

    @classmethod
    def of(cls, *, asked: int, compacted: int, current: int) -> RevisionInFutureError:
        """Build the error with all three revisions."""
        return cls(
            f"revision {asked} does not exist yet: the store stands at {current}; if it was once "
            "seen, the store was restored: start a watch with a snapshot",
            metadata={
                "askedRevision": str(asked),
                "compactRevision": str(compacted),
                "currentRevision": str(current),
            },
        )


class EpochChangedError(RegistryError):
    """A token belongs to another store, or to the time before a restore."""

    reason = "EPOCH_CHANGED"


class SlowWatcherError(RegistryError):
    """A watcher did not read for too long."""

    reason = "SLOW_WATCHER"


class LimitExceededError(RegistryError):
    """A configured limit was reached."""

    reason = "LIMIT_EXCEEDED"


class DrainingError(RegistryError):
    """The server is going down."""

    reason = "DRAINING"


class StoreUnavailableError(RegistryError):
    """The store does not answer."""

    reason = "STORE_UNAVAILABLE"


class PermissionDeniedError(RegistryError):
    """The principal lacks a permission."""

    reason = "PERMISSION_DENIED"


class DeadlineExceededError(RegistryError):
    """The deadline passed before the answer was ready."""

    reason = "DEADLINE_EXCEEDED"
