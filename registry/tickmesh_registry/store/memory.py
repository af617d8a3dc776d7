"""The memory engine: the store's semantics without a disk, for tests and trials."""

from __future__ import annotations

import operator
from bisect import bisect_right
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING

from tickmesh_registry.domain.errors import VersionConflictError
from tickmesh_registry.domain.ordering import BY_NAME, Order
from tickmesh_registry.domain.versions import Version, VersionKey, VersionTimes, latest_version

from . import (
    Committed,
    CompletedRequest,
    Demands,
    Head,
    LogPage,
    Refusal,
    Result,
    SubjectPosition,
    SubjectState,
    Transaction,
    VersionScope,
)
from .staging import SealedWrites, StagedWrites
from .write_line import WriteLine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from tickmesh_registry.domain.changes import Revision


@dataclass(frozen=True, slots=True)
class _State:
    """Everything at one revision. Never changed: a commit puts another one in its place."""

    head: Head
    subjects: dict[str, SubjectState] = field(default_factory=dict)
    versions: dict[str, tuple[Version, ...]] = field(default_factory=dict)
    schema_ids: dict[str, int] = field(default_factory=dict)
    first_versions: dict[str, Version] = field(default_factory=dict)
    requests: dict[tuple[str, str], CompletedRequest] = field(default_factory=dict)
    refusals: dict[tuple[str, str, str], Refusal] = field(default_factory=dict)


class _MemoryReader:
    """Reads one state."""

    def __init__(self, state: _State) -> None:
        self._state = state

    @property
    def head(self) -> Head:
        return self._state.head

    async def subject(self, name: str) -> SubjectState:
        return self._state.subjects.get(name, SubjectState(name))

    async def subjects(
        self,
        *,
        prefix: str,
        limit: int,
        order: Order = BY_NAME,
        after: SubjectPosition | None = None,
        demands: Demands = (),  # noqa: ARG002 - whoever demands filters in any case
    ) -> tuple[SubjectState, ...]:
        positions = sorted(
            (
                (getattr(self._state.subjects[name], order.field), name)
                for name in self._state.versions
                if name.startswith(prefix)
            ),
            reverse=order.descending,
        )
        if after is not None:
            beyond = operator.lt if order.descending else operator.gt
            positions = [position for position in positions if beyond(position, after)]
        return tuple(self._state.subjects[name] for _, name in positions[:limit])

    async def version(self, subject: str, version: int) -> Version | None:
        versions = self._state.versions.get(subject, ())
        return versions[version - 1] if 1 <= version <= len(versions) else None

    async def versions(self, subject: str, *, after: int, limit: int) -> tuple[Version, ...]:
        return self._state.versions.get(subject, ())[after : after + limit]

    async def version_keys(
        self,
        *,
        after: tuple[str, int],
        limit: int,
        scope: VersionScope = VersionScope.EVERY,
        demands: Demands = (),  # noqa: ARG002 - whoever demands filters in any case
    ) -> tuple[VersionKey, ...]:
        found = (
            VersionKey(subject, version.version, version.schema_id)
            for subject in sorted(self._state.versions)
            if subject >= after[0]
            for version in self._state.versions[subject]
            if (subject, version.version) > after
            and (
                scope is VersionScope.EVERY
                or version.version == self._state.subjects[subject].latest_version
            )
        )
        return tuple(islice(found, limit))

    async def versions_at(self, keys: Sequence[tuple[str, int]]) -> tuple[Version, ...]:
        found = [await self.version(subject, number) for subject, number in keys]
        return tuple(version for version in found if version is not None)

    async def outlines_at(self, keys: Sequence[tuple[str, int]]) -> tuple[Version, ...]:
        return tuple(
            replace(version, text="", canonical_text="", arrow_schema=b"")
            for version in await self.versions_at(keys)
        )

    async def version_times(self, subject: str) -> tuple[VersionTimes, ...]:
        return tuple(map(_times, self._state.versions.get(subject, ())))

    async def version_with_schema_id(self, schema_id: int) -> Version | None:
        for fingerprint, known_id in self._state.schema_ids.items():
            if known_id == schema_id:
                return self._state.first_versions[fingerprint]
        return None

    async def version_with_fingerprint(self, fingerprint: str) -> Version | None:
        return self._state.first_versions.get(fingerprint)

    async def versions_through(
        self, revision: int, *, after: tuple[str, int], limit: int
    ) -> tuple[Version, ...]:
        found = (
            version
            for subject in sorted(self._state.versions)
            if subject >= after[0]
            for version in self._state.versions[subject]
            if (subject, version.version) > after and version.revision <= revision
        )
        return tuple(version for version, _ in zip(found, range(limit), strict=False))

    async def completed_request(self, principal: str, request_id: str) -> CompletedRequest | None:
        return self._state.requests.get((principal, request_id))

    async def refusal(self, subject: str, fingerprint: str, principal: str) -> Refusal | None:
        return self._state.refusals.get((subject, fingerprint, principal))


class _MemoryTransaction(StagedWrites, _MemoryReader):
    """Reads one state and stages the next."""

    def __init__(self, state: _State) -> None:
        StagedWrites.__init__(self)
        _MemoryReader.__init__(self, state)


class MemoryStore:
    """A store that ends with its process."""

    def __init__(self, *, epoch: str) -> None:
        self._line = WriteLine()
        self._state = _State(Head(epoch, revision=0, compact_revision=0, changed_at_ns=0))
        self._log: list[Revision] = []

    async def open(self) -> None:
        """Open the store; there is nothing to do."""

    async def head(self) -> Head:
        """Where the store stands now."""
        return self._state.head

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[_MemoryReader]:
        """Read at the last revision."""
        yield _MemoryReader(self._state)

    async def transact(self, body: Callable[[Transaction], Awaitable[Result]]) -> Committed[Result]:
        """Run `body` alone and commit what it staged, whole or not at all."""

        async def work() -> Committed[Result]:
            transaction = _MemoryTransaction(self._state)
            result = await body(transaction)
            if transaction.is_empty:
                return Committed(result, self._state.head, None)
            state, revision = _after(self._state, transaction)
            if revision is not None:
                self._log.append(revision)
            self._state = state
            return Committed(result, state.head, revision)

        return await self._line.run(work)

    def on_commit(self, listener: Callable[[Revision, Head], None]) -> None:
        """Name who is given every revision, in order, before `transact` returns."""
        self._line.on_commit(listener)

    async def changes_after(self, revision: int, *, limit: int) -> LogPage:
        """Whole revisions after `revision`, oldest first."""
        revisions: list[Revision] = []
        changes = 0
        for entry in self._log[bisect_right(self._log, revision, key=lambda r: r.revision) :]:
            revisions.append(entry)
            changes += len(entry.changes)
            if changes >= limit:
                break
        return LogPage(self._state.head, tuple(revisions))

    async def compact(self, revision: int, *, forget_before_ns: int) -> Head:
        """Drop changes up to `revision`, and idempotency records older than an instant."""

        async def work() -> Committed[None]:
            head = self._state.head
            compacted = max(head.compact_revision, min(revision, head.revision))
            del self._log[: bisect_right(self._log, compacted, key=lambda r: r.revision)]
            self._state = replace(
                self._state,
                head=replace(head, compact_revision=compacted),
                requests={
                    key: request
                    for key, request in self._state.requests.items()
                    if request.completed_at_ns >= forget_before_ns
                },
                refusals={
                    key: refusal
                    for key, refusal in self._state.refusals.items()
                    if refusal.refused_at_ns >= forget_before_ns
                },
            )
            return Committed(None, self._state.head, None)

        return (await self._line.run(work)).head

    async def close(self) -> None:
        """Wait for the transaction under way."""
        await self._line.close()


def _after(state: _State, staged: StagedWrites) -> tuple[_State, Revision | None]:
    schema_ids = dict(state.schema_ids)
    for new in staged.new_versions:
        expected = state.subjects.get(new.subject, SubjectState(new.subject)).version_count + 1
        if new.version != expected:
            raise VersionConflictError(f"version {expected} comes next, not {new.version}")
        schema_ids.setdefault(new.fingerprint, len(schema_ids) + 1)
    sealed = staged.seal(head_revision=state.head.revision, schema_ids=schema_ids)
    versions = dict(state.versions)
    first_versions = dict(state.first_versions)
    for version in sealed.versions:
        versions[version.subject] = (*versions.get(version.subject, ()), version)
        first_versions.setdefault(version.fingerprint, version)
    return (
        _State(
            head=_head_after(state.head, sealed),
            subjects=_subjects_after(state, staged, sealed, versions),
            versions=versions,
            schema_ids=schema_ids,
            first_versions=first_versions,
            requests=state.requests | {(r.principal, r.request_id): r for r in sealed.requests},
            refusals=state.refusals
            | {(r.subject, r.fingerprint, r.principal): r for r in staged.new_refusals},
        ),
        sealed.revision,
    )


def _head_after(head: Head, sealed: SealedWrites) -> Head:
    if sealed.revision is None:
        return head
    return replace(
        head,
        revision=sealed.revision.revision,
        changed_at_ns=sealed.revision.changes[-1].changed_at_ns,
    )


def _subjects_after(
    state: _State,
    staged: StagedWrites,
    sealed: SealedWrites,
    versions: dict[str, tuple[Version, ...]],
) -> dict[str, SubjectState]:
    subjects = dict(state.subjects)
    number = state.head.revision if sealed.revision is None else sealed.revision.revision
    for new in staged.new_versions:
        subjects[new.subject] = replace(
            subjects.get(new.subject, SubjectState(new.subject)),
            latest_version=latest_version(map(_times, versions[new.subject])),
            version_count=len(versions[new.subject]),
            revision=number,
            field_ids=new.field_ids,
        )
    for name, settings in staged.new_settings.items():
        subjects[name] = replace(
            subjects.get(name, SubjectState(name)), settings=settings, revision=number
        )
    return subjects


def _times(version: Version) -> VersionTimes:
    return VersionTimes(
        version=version.version,
        state=version.state,
        registered_at_ns=version.registered_at_ns,
        effective_from_ns=version.effective_from_ns,
    )
