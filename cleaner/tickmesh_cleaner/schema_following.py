"""Which schema version judges the next batch, while the registry changes under a running job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import structlog

from tickmesh.schema import Action
from tickmesh_cleaner.control import HaltedError
from tickmesh_cleaner.domain.job import JobRequest, SchemaChangePolicy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.registered import RegisteredSchema
    from tickmesh_cleaner.metrics import CleanerMetrics

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.cleaner.schema")


class Schemas(Protocol):
    """The registry, as a job sees it: cached, true by watch, deaf to short absences."""

    @property
    def stale_since_ns(self) -> int:
        """Since when the registry does not answer; 0 while it does."""
        ...

    def refresh(self, subject: str) -> None:
        """See every version registered before this call; raises as `in_force` does."""
        ...

    def in_force(self, subject: str) -> RegisteredSchema:
        """The version in force now.

        Raises:
            SubjectNotFoundError: There is no such subject.
            RegistryUnavailableError: The registry is away and nothing of the subject is cached.
        """
        ...

    def get(self, subject: str, *, version: int) -> RegisteredSchema:
        """One version; raises as `in_force` does."""
        ...

    def versions(self, subject: str) -> Sequence[RegisteredSchema]:
        """All versions, ascending; raises as `in_force` does."""
        ...


class ApprovalNeededError(HaltedError):
    """A breaking change came, and the job's policy is to stop until somebody approves."""

    def __init__(self, *, subject: str, version: int) -> None:
        super().__init__(
            JobRequest.PAUSE,
            message=f"version {version} of {subject} breaks with the version this job uses; "
            f"resume the job to go on under version {version}, or cancel it",
        )


class PolicyFollower:
    """Follows the version in force; what a breaking change does is the job's policy."""

    def __init__(
        self,
        *,
        schemas: Schemas,
        job_id: str,
        subject: str,
        policy: SchemaChangePolicy,
        version: int,
        approved_version: int,
        metrics: CleanerMetrics,
    ) -> None:
        """Begin where the job stands.

        Args:
            schemas: The registry.
            job_id: The job, for the alert.
            subject: Its subject.
            policy: What a breaking change does.
            version: The version of its latest batch; 0 before the first.
            approved_version: The newest version somebody approved.
            metrics: Where breaking changes are counted.
        """
        self._schemas = schemas
        self._job_id = job_id
        self._subject = subject
        self._policy = policy
        self._version = version
        self._approved_version = approved_version
        self._metrics = metrics
        self._alerted_version = 0

    def next(self) -> RegisteredSchema:
        """The version the next batch is judged under.

        Raises:
            ApprovalNeededError: A breaking change came under the policy PAUSE.
        """
        in_force = self._schemas.in_force(self._subject)
        if self._version in {0, in_force.version}:
            self._version = in_force.version
            return in_force
        if self._breaks(in_force):
            self._alert(in_force)
            if self._policy is SchemaChangePolicy.PIN:
                return self.get(self._version)
            approved = in_force.version <= self._approved_version
            if self._policy is SchemaChangePolicy.PAUSE and not approved:
                raise ApprovalNeededError(subject=self._subject, version=in_force.version)
        self._version = in_force.version
        return in_force

    def get(self, version: int) -> RegisteredSchema:
        """A version the job used before."""
        return self._schemas.get(self._subject, version=version)

    def _breaks(self, in_force: RegisteredSchema) -> bool:
        # Going back to an older version undoes changes: whether that breaks nobody has proven.
        if in_force.version < self._version:
            return True
        return any(
            schema.action is Action.BREAKING_CHANGE
            for schema in self._schemas.versions(self._subject)
            if self._version < schema.version <= in_force.version and schema.state.is_live
        )

    def _alert(self, in_force: RegisteredSchema) -> None:
        if self._alerted_version == in_force.version:
            return
        self._alerted_version = in_force.version
        self._metrics.breaking_change(policy=self._policy.value)
        _log.warning(
            "schema.breaking_change",
            job_id=self._job_id,
            subject=self._subject,
            from_version=self._version,
            to_version=in_force.version,
            policy=self._policy.value,
        )


class FixedFollower:
    """Judges every batch under one version, as a replay may ask."""

    def __init__(self, *, schemas: Schemas, subject: str, version: int) -> None:
        self._schemas = schemas
        self._subject = subject
        self._version = version

    def next(self) -> RegisteredSchema:
        """The version."""
        return self.get(self._version)

    def get(self, version: int) -> RegisteredSchema:
        """A version the job used before."""
        return self._schemas.get(self._subject, version=version)
