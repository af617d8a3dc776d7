"""The store's reader and transaction: every question one visit to the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from tickmesh_registry.domain.ordering import BY_NAME, Order
from tickmesh_registry.store import VersionScope
from tickmesh_registry.store.staging import StagedWrites

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tickmesh_registry.domain.versions import (
        Version,
        VersionKey,
        VersionStanding,
        VersionTimes,
    )
    from tickmesh_registry.store import (
        BasisQuestion,
        CompletedRequest,
        Demands,
        Head,
        Refusal,
        RegistrationBasis,
        SubjectPosition,
        SubjectState,
    )

    from .queries import Queries

Params = ParamSpec("Params")
Result = TypeVar("Result")


class Runner(Protocol):
    """Runs a function where its connection may be used: in a thread, or in a greenlet."""

    async def run(
        self, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Run a function and wait for it."""


class SqlReader:
    """Reads at the revision of the transaction its connection is in."""

    def __init__(self, runner: Runner, queries: Queries) -> None:
        self._run = runner.run
        self._queries = queries

    @property
    def head(self) -> Head:
        """The revision this reader sees, and what belongs to it."""
        return self._queries.head

    async def subject(self, name: str) -> SubjectState:
        """The state of a subject."""
        return await self._run(self._queries.subject, name)

    async def subjects(
        self,
        *,
        prefix: str,
        limit: int,
        order: Order = BY_NAME,
        after: SubjectPosition | None = None,
        demands: Demands = (),
    ) -> tuple[SubjectState, ...]:
        """Subjects with versions whose names begin with `prefix`."""
        return await self._run(
            self._queries.subjects,
            prefix=prefix,
            limit=limit,
            order=order,
            after=after,
            demands=demands,
        )

    async def version(self, subject: str, version: int) -> Version | None:
        """One version."""
        return await self._run(self._queries.version, subject, version)

    async def versions(self, subject: str, *, after: int, limit: int) -> tuple[Version, ...]:
        """Versions of a subject in ascending order, deleted ones included."""
        return await self._run(self._queries.versions, subject, after=after, limit=limit)

    async def version_keys(
        self,
        *,
        after: tuple[str, int],
        limit: int,
        scope: VersionScope = VersionScope.EVERY,
        demands: Demands = (),
    ) -> tuple[VersionKey, ...]:
        """Versions of all subjects behind a key, in order of (subject, version), named only."""
        return await self._run(
            self._queries.version_keys, after=after, limit=limit, scope=scope, demands=demands
        )

    async def versions_at(self, keys: Sequence[tuple[str, int]]) -> tuple[Version, ...]:
        """Versions by (subject, version), in the order of the keys; unknown ones are left out."""
        return await self._run(self._queries.versions_at, keys)

    async def outlines_at(self, keys: Sequence[tuple[str, int]]) -> tuple[Version, ...]:
        """As `versions_at`, but text, canonical text and projection are not read: empty."""
        return await self._run(self._queries.outlines_at, keys)

    async def version_times(self, subject: str) -> tuple[VersionTimes, ...]:
        """What chooses among the versions of a subject, ascending."""
        return await self._run(self._queries.version_times, subject)

    async def version_with_schema_id(self, schema_id: int) -> Version | None:
        """The earliest version that carries the schema id, a removed one only if all are."""
        return await self._run(self._queries.version_with_schema_id, schema_id)

    async def version_with_fingerprint(self, fingerprint: str) -> Version | None:
        """The earliest version that carries the fingerprint, a removed one only if all are."""
        return await self._run(self._queries.version_with_fingerprint, fingerprint)

    async def versions_through(
        self, revision: int, *, after: tuple[str, int], limit: int
    ) -> tuple[Version, ...]:
        """Versions registered up to `revision`, in order of (subject, version), after a key."""
        return await self._run(self._queries.versions_through, revision, after=after, limit=limit)

    async def standings(self, *, prefix: str) -> tuple[VersionStanding, ...]:
        """Versions that are not plainly active, of subjects whose names begin with `prefix`."""
        return await self._run(self._queries.standings, prefix=prefix)

    async def referrers(
        self, subject: str, version: int, *, limit: int
    ) -> tuple[tuple[str, int], ...]:
        """Versions that refer to a version and are not removed, by (subject, version)."""
        return await self._run(self._queries.referrers, subject, version, limit=limit)

    async def registration_basis(self, question: BasisQuestion) -> RegistrationBasis:
        """Everything registrations are judged from, in one go."""
        return await self._run(self._queries.registration_basis, question)

    async def completed_request(self, principal: str, request_id: str) -> CompletedRequest | None:
        """What a registration with this idempotency key answered."""
        return await self._run(self._queries.completed_request, principal, request_id)

    async def refusal(self, subject: str, fingerprint: str, principal: str) -> Refusal | None:
        """The last refusal that became an event."""
        return await self._run(self._queries.refusal, subject, fingerprint, principal)


class SqlTransaction(StagedWrites, SqlReader):
    """Reads the last revision and stages the next."""

    def __init__(self, runner: Runner, queries: Queries) -> None:
        StagedWrites.__init__(self)
        SqlReader.__init__(self, runner, queries)

    async def moved_since(self, basis: RegistrationBasis) -> bool:
        """Whether anything in `basis` has changed since, or its request was answered."""
        return await self._run(self._queries.moved_since, basis)
