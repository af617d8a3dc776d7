"""The memory engine: the store's semantics without a disk, for tests and trials."""

from __future__ import annotations

import operator
from bisect import bisect_right
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from tickmesh_registry.domain.errors import VersionConflictError
from tickmesh_registry.domain.ordering import BY_NAME, Order
from tickmesh_registry.domain.versions import (
    Version,
    VersionKey,
    VersionStanding,
    VersionState,
    VersionTimes,
    latest_version,
)

from . import (
    BasisQuestion,
    Committed,
    CompletedRequest,
    Demands,
    Head,
    LogPage,
    Refusal,
    RegistrationBasis,
    Result,
    SubjectBasis,
    SubjectPosition,
    SubjectState,
    Transaction,
    VersionScope,
)
from .staging import SealedWrites, StagedWrites
from .tombstones import bare_change, bare_outcome
from .write_line import WriteLine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from tickmesh_registry.domain.changes import Revision

    from .write_line import Body


@dataclass(frozen=True, slots=True)
class _State:
    """Everything at one revision. Never changed: a commit puts another one in its place."""

    head: Head
    subjects: dict[str, SubjectState] = field(default_factory=dict)
    versions: dict[str, tuple[Version, ...]] = field(default_factory=dict)
    schema_ids: dict[str, int] = field(default_factory=dict)
    carriers: dict[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)
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
                return await self.version_with_fingerprint(fingerprint)
        return None

    async def version_with_fingerprint(self, fingerprint: str) -> Version | None:
        carriers = [
            self._state.versions[subject][number - 1]
            for subject, number in self._state.carriers.get(fingerprint, ())
        ]
        with_text = (v for v in carriers if v.state is not VersionState.REMOVED)
        return next(with_text, next(iter(carriers), None))

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

    async def standings(self, *, prefix: str) -> tuple[VersionStanding, ...]:
        return tuple(
            VersionStanding(subject, v.version, v.state, v.deprecation_note)
            for subject, versions in self._state.versions.items()
            if subject.startswith(prefix)
            for v in versions
            if v.state is not VersionState.ACTIVE
        )

    async def referrers(
        self, subject: str, version: int, *, limit: int
    ) -> tuple[tuple[str, int], ...]:
        found = sorted(
            (each.subject, each.version)
            for versions in self._state.versions.values()
            for each in versions
            if each.state is not VersionState.REMOVED
            and any((r.subject, r.version) == (subject, version) for r in each.references)
        )
        return tuple(found[:limit])

    async def registration_basis(self, question: BasisQuestion) -> RegistrationBasis:
        referenced = {
            key: found.state
            for key in question.references
            if (found := await self.version(*key)) is not None
        }
        completed = None
        if question.request_id:
            completed = await self.completed_request(question.principal, question.request_id)
        return RegistrationBasis(
            question=question,
            head=self.head,
            root=await self.subject(""),
            subjects={name: self._subject_basis(name) for name in question.subjects if name},
            referenced=referenced,
            revisions=self._revisions(question),
            completed=completed,
        )

    async def completed_request(self, principal: str, request_id: str) -> CompletedRequest | None:
        return self._state.requests.get((principal, request_id))

    async def refusal(self, subject: str, fingerprint: str, principal: str) -> Refusal | None:
        return self._state.refusals.get((subject, fingerprint, principal))

    def _subject_basis(self, name: str) -> SubjectBasis:
        state = self._state.subjects.get(name, SubjectState(name))
        versions = self._state.versions.get(name, ())
        return SubjectBasis(
            state=state,
            latest=versions[state.latest_version - 1] if state.latest_version else None,
            deleted=frozenset(v.version for v in versions if v.state is VersionState.DELETED),
            removed=frozenset(v.version for v in versions if v.state is VersionState.REMOVED),
        )

    def _revisions(self, question: BasisQuestion) -> dict[str, int]:
        subjects = self._state.subjects
        return {name: subjects.get(name, SubjectState(name)).revision for name in question.names}


class _MemoryTransaction(StagedWrites, _MemoryReader):
    """Reads one state and stages the next."""

    def __init__(self, state: _State) -> None:
        StagedWrites.__init__(self)
        _MemoryReader.__init__(self, state)

    async def moved_since(self, basis: RegistrationBasis) -> bool:
        question = basis.question
        if question.request_id and await self.completed_request(
            question.principal, question.request_id
        ):
            return True
        return self._revisions(question) != basis.revisions


class MemoryStore:
    """A store that ends with its process."""

    def __init__(self, *, epoch: str) -> None:
        self._line = WriteLine(self._commit)
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
        return await self._line.transact(body)

    def on_commit(self, listener: Callable[[Revision, Head], None]) -> None:
        """Name who is given every revision, in order, before `transact` returns."""
        self._line.on_commit(listener)

    def on_head(self, listener: Callable[[Head], None]) -> None:
        """Name who is told where the store stands when it moved without a revision."""
        self._line.on_head(listener)

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

    async def _commit(self, bodies: Sequence[Body]) -> Sequence[Committed[Any] | Exception]:
        outcomes: list[Committed[Any] | Exception] = []
        for body in bodies:
            try:
                outcomes.append(await self._commit_one(body))
            except Exception as error:  # noqa: BLE001 - for the caller of this body
                outcomes.append(error)
        return outcomes

    async def _commit_one(self, body: Body) -> Committed[Any]:
        transaction = _MemoryTransaction(self._state)
        result = await body(transaction)
        if transaction.is_empty:
            return Committed(result, self._state.head, None)
        state, revision = _after(self._state, transaction)
        for standing in transaction.new_standings:
            if standing.state is VersionState.REMOVED:
                removed = standing.version.subject, standing.version.version
                self._log = [_bare(entry, *removed) for entry in self._log]
        if revision is not None:
            self._log.append(revision)
        self._state = state
        return Committed(result, state.head, revision)


def _after(state: _State, staged: StagedWrites) -> tuple[_State, Revision | None]:
    schema_ids = dict(state.schema_ids)
    for new in staged.new_versions:
        expected = state.subjects.get(new.subject, SubjectState(new.subject)).version_count + 1
        if new.version != expected:
            raise VersionConflictError(f"version {expected} comes next, not {new.version}")
        schema_ids.setdefault(new.fingerprint, len(schema_ids) + 1)
    sealed = staged.seal(head_revision=state.head.revision, schema_ids=schema_ids)
    versions = dict(state.versions)
    carriers = dict(state.carriers)
    for version in sealed.versions:
        versions[version.subject] = (*versions.get(version.subject, ()), version)
        key = version.subject, version.version
        carriers[version.fingerprint] = (*carriers.get(version.fingerprint, ()), key)
    requests = state.requests
    for version in sealed.standings:
        of_subject = list(versions[version.subject])
        of_subject[version.version - 1] = version
        versions[version.subject] = tuple(of_subject)
        if version.state is VersionState.REMOVED:
            requests = {
                key: _bare_request(request, version.subject, version.version)
                for key, request in requests.items()
            }
    return (
        _State(
            head=_head_after(state.head, sealed),
            subjects=_subjects_after(state, staged, sealed, versions),
            versions=versions,
            schema_ids=schema_ids,
            carriers=carriers,
            requests=requests | {(r.principal, r.request_id): r for r in sealed.requests},
            refusals=state.refusals
            | {(r.subject, r.fingerprint, r.principal): r for r in staged.new_refusals},
        ),
        sealed.revision,
    )


def _bare(revision: Revision, subject: str, version: int) -> Revision:
    changes = tuple(bare_change(change, subject, version) for change in revision.changes)
    return replace(revision, changes=changes)


def _bare_request(request: CompletedRequest, subject: str, version: int) -> CompletedRequest:
    outcomes = tuple(bare_outcome(outcome, subject, version) for outcome in request.outcomes)
    return replace(request, outcomes=outcomes)


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
    for standing in staged.new_standings:
        name = standing.version.subject
        subjects[name] = replace(
            subjects[name],
            latest_version=latest_version(map(_times, versions[name])),
            revision=number,
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
