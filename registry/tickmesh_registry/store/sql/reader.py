"""The store's reader and transaction: every question one hop to the connection's thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_registry.domain.ordering import BY_NAME, Order
from tickmesh_registry.store import VersionScope
from tickmesh_registry.store.staging import StagedWrites

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_registry.domain.versions import Version, VersionKey, VersionTimes
    from tickmesh_registry.store import (
        CompletedRequest,
        Demands,
        Head,
        Refusal,
        SubjectPosition,
        SubjectState,
    )

    from .connection import ConnectionThread
    from .queries import Queries


class SqlReader:
    """Reads at the revision of the transaction its connection is in."""

    def __init__(self, thread: ConnectionThread, queries: Queries) -> None:
        self._run = thread.run
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
        """The earliest version that carries the schema id."""
        return await self._run(self._queries.version_with_schema_id, schema_id)

    async def version_with_fingerprint(self, fingerprint: str) -> Version | None:
        """The earliest version that carries the fingerprint."""
        return await self._run(self._queries.version_with_fingerprint, fingerprint)

    async def versions_through(
        self, revision: int, *, after: tuple[str, int], limit: int
    ) -> tuple[Version, ...]:
        """Versions registered up to `revision`, in order of (subject, version), after a key."""
        return await self._run(self._queries.versions_through, revision, after=after, limit=limit)

    async def completed_request(self, principal: str, request_id: str) -> CompletedRequest | None:
        """What a registration with this idempotency key answered."""
        return await self._run(self._queries.completed_request, principal, request_id)

    async def refusal(self, subject: str, fingerprint: str, principal: str) -> Refusal | None:
        """The last refusal that became an event."""
        return await self._run(self._queries.refusal, subject, fingerprint, principal)


class SqlTransaction(StagedWrites, SqlReader):
    """Reads the last revision and stages the next."""

    def __init__(self, thread: ConnectionThread, queries: Queries) -> None:
        StagedWrites.__init__(self)
        SqlReader.__init__(self, thread, queries)
