"""The registry as jobs see it: the client's cache, with failures in the cleaner's own words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from tickmesh.errors import DeadlineExceededError, NotFoundError, UnavailableError
from tickmesh_cleaner.domain.errors import (
    InvalidArgumentError,
    NothingInForceError,
    RegistryUnavailableError,
    SubjectNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tickmesh.registered import RegisteredSchema
    from tickmesh.registry import RegistryClient

_Answer = TypeVar("_Answer")

_NOTHING_IN_FORCE = "NOTHING_IN_FORCE"


class RegistrySchemas:
    """Schemas by subject, from a cache that a watch keeps true and that survives restarts."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    @property
    def stale_since_ns(self) -> int:
        """Since when the registry does not answer; 0 while it does."""
        return self._client.cache_statistics().stale_since_ns or 0

    def refresh(self, subject: str) -> None:
        """See every version registered before this call; see `Schemas.refresh`."""
        self._ask(subject, lambda: self._client.refresh(subject))

    def in_force(self, subject: str) -> RegisteredSchema:
        """The version in force now; see `Schemas.in_force`."""
        try:
            return self._ask(subject, lambda: self._client.in_force(subject))
        except SubjectNotFoundError as error:
            detail = self._why_nothing_in_force(subject, error)
            raise NothingInForceError(subject, detail=detail) from error

    def get(self, subject: str, *, version: int) -> RegisteredSchema:
        """One version; see `Schemas.get`."""
        try:
            return self._ask(subject, lambda: self._client.get(subject, version=version))
        except SubjectNotFoundError:
            self.in_force(subject)
            raise InvalidArgumentError(
                "schema_version", f"{subject} has no version {version}"
            ) from None

    def versions(self, subject: str) -> Sequence[RegisteredSchema]:
        """All versions, ascending; see `Schemas.versions`."""
        return self._ask(subject, lambda: self._client.versions(subject))

    def _why_nothing_in_force(self, subject: str, error: SubjectNotFoundError) -> str:
        """Raises the error again where the subject itself is not known."""
        if getattr(error.__cause__, "reason", "") != _NOTHING_IN_FORCE:
            raise error
        versions = self.versions(subject)
        # A version that lives and is not in force has its time before it.
        coming = [found for found in versions if found.state.is_live]
        if not coming:
            return f"its {len(versions)} versions are deleted; restore one, or register another"
        first = min(coming, key=lambda found: found.effective_from_ns)
        instant = datetime.fromtimestamp(first.effective_from_ns / 1e9, UTC)
        return f"version {first.version} comes into force at {instant.isoformat()}"

    @staticmethod
    def _ask(subject: str, call: Callable[[], _Answer]) -> _Answer:
        try:
            return call()
        except NotFoundError as error:
            raise SubjectNotFoundError(subject) from error
        except (UnavailableError, DeadlineExceededError) as error:
            raise RegistryUnavailableError(subject) from error
