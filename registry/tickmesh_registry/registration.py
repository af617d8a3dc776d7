"""Registering a version: judge outside the store, decide inside it.

Comparing schemas may take long, so it happens outside of the transaction, against the versions and
settings of one snapshot. The transaction then makes sure that nothing of what was judged has moved
since; if it has, the candidate is judged again. So two racing registrations can never both pass a
check that one of them would fail.
"""

from __future__ import annotations

import asyncio
import json
import weakref
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from .domain.bounds import (
    MAX_INSTANT_NS,
    require_labels,
    require_references,
    require_request_id,
    require_subject,
)
from .domain.changes import ChangeKind
from .domain.compatibility import DEFAULTS
from .domain.errors import (
    IncompatibleSchemaError,
    InvalidArgumentError,
    PermissionDeniedError,
    RequestIdReusedError,
    VersionConflictError,
)
from .domain.versions import Actor, Version, VersionState
from .proposal import Proposal, Registration
from .refusal import bounded_report, refusal_of
from .store import CompletedRequest, NewChange, NewVersion, Refusal, RegisteredOutcome

if TYPE_CHECKING:
    from tickmesh_serving.call_context import CallContext
    from tickmesh_serving.clock import Clock
    from tickmesh_serving.permissions import Grants

    from .domain.compatibility import Action, Settings
    from .formats import Document, Judgement, Projection
    from .store import Head, Reader, SchemaStore, SubjectState, Transaction
    from .workbench import Workbench

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.registry")

ALLOW_BREAKING = "registry.schemas.allow_breaking"
BACKDATE = "registry.schemas.backdate"

_ATTEMPTS = 8
_REFUSAL_EVENT_EVERY_NS = 3_600 * 1_000_000_000


@dataclass(frozen=True, slots=True)
class _Basis:
    """What a judgement was made from, all of one snapshot."""

    head: Head
    state: SubjectState
    settings: Settings
    settings_revision: int
    latest: Version | None
    candidate: Document

    @property
    def compared_versions(self) -> list[int]:
        """The numbers of the versions the mode may compare with; deleted ones count."""
        if self.settings.mode.transitive:
            return list(range(1, self.state.version_count + 1))
        return [] if self.latest is None else [self.latest.version]


@dataclass(frozen=True, slots=True)
class _Judged:
    """A judgement and everything a new version needs but its revision."""

    judgement: Judgement
    report: str
    action: Action
    version: NewVersion


class Registrar:
    """Registers versions."""

    def __init__(
        self, store: SchemaStore, workbench: Workbench, *, clock: Clock, grants: Grants
    ) -> None:
        self._store = store
        self._workbench = workbench
        self._clock = clock
        self._grants = grants
        # One registration a subject at a time: otherwise all but one would judge in vain.
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def register(self, proposal: Proposal, call: CallContext) -> Registration:
        """Register a schema if its subject's compatibility allows.

        Raises:
            InvalidArgumentError: A field is out of bounds.
            InvalidSchemaError: The text is no schema that can be registered.
            VersionNotFoundError: A reference leads nowhere.
            PermissionDeniedError: allow_breaking or backdating is not granted.
            VersionConflictError: The latest version is not the expected one.
            RequestIdReusedError: The request id was used with another content.
            IncompatibleSchemaError: The verdict refuses it.
        """
        self._check(proposal, call)
        lock = self._locks.setdefault(proposal.subject, asyncio.Lock())
        async with lock:
            for _ in range(_ATTEMPTS):
                registration = await self._attempt(proposal, call)
                if registration is not None:
                    return registration
        raise VersionConflictError(
            f"subject {proposal.subject!r} kept changing while the schema was judged; retry",
            metadata={"subject": proposal.subject},
            retry_after_seconds=1.0,
        )

    def _check(self, proposal: Proposal, call: CallContext) -> None:
        require_subject(proposal.subject)
        require_labels(proposal.labels)
        require_references(proposal.references)
        require_request_id(proposal.request_id)
        if proposal.expected_version is not None and proposal.expected_version < 0:
            raise InvalidArgumentError.of(
                "expected_version", f"expected 0 or more, got {proposal.expected_version}"
            )
        if proposal.allow_breaking:
            self._require(ALLOW_BREAKING, call)
        effective_from_ns = proposal.effective_from_ns
        if effective_from_ns is not None:
            if not 0 <= effective_from_ns <= MAX_INSTANT_NS:
                raise InvalidArgumentError.of(
                    "effective_from", f"expected 1970 to 2262, got {effective_from_ns} ns"
                )
            if effective_from_ns < self._clock.now_ns():
                self._require(BACKDATE, call)

    def _require(self, permission: str, call: CallContext) -> None:
        if not self._grants(call.principal, permission):
            raise PermissionDeniedError(
                f"{call.principal.name} lacks the permission {permission}",
                metadata={"principal": call.principal.name, "permission": permission},
            )

    async def _attempt(self, proposal: Proposal, call: CallContext) -> Registration | None:
        """One try on one snapshot; none when what it was judged from has moved meanwhile."""
        candidate = await self._workbench.parse(proposal.format, proposal.text, proposal.references)
        async with self._store.snapshot() as reader:
            answered = await self._answered_before(reader, proposal, call)
            if answered is not None:
                return answered
            basis = await _basis(reader, proposal.subject, candidate)
        self._check_expected(proposal, basis.state.latest_version)
        latest = basis.latest
        if (
            latest is not None
            and latest.text == proposal.text
            and latest.references == proposal.references
        ):
            return await self._same_as(latest, basis, proposal, call)
        judged = await self._judge(proposal, basis, call)
        if not (proposal.allow_breaking or basis.settings.admits(judged.judgement.verdict)):
            await self._refuse(proposal, basis, judged, call)
            return None
        if proposal.dry_run:
            return await self._would_be(basis, judged)
        return await self._write(proposal, basis, judged, call)

    async def _answered_before(
        self, reader: Reader, proposal: Proposal, call: CallContext
    ) -> Registration | None:
        if not proposal.request_id or proposal.dry_run:
            return None
        request = await reader.completed_request(call.principal.name, proposal.request_id)
        if request is None:
            return None
        if request.digest != proposal.digest():
            raise RequestIdReusedError(
                f"request id {proposal.request_id!r} was used before with another content; give "
                "every new registration an id of its own",
                metadata={"requestId": proposal.request_id},
            )
        (outcome,) = request.outcomes
        assert isinstance(outcome, RegisteredOutcome)
        version = await reader.version(outcome.subject, outcome.version)
        assert version is not None
        return Registration(version, outcome.report, request.revision, outcome.already_registered)

    def _check_expected(self, proposal: Proposal, latest: int) -> None:
        expected = proposal.expected_version
        if expected is not None and expected != latest:
            _log.info(
                "registration.conflict",
                subject=proposal.subject,
                expected_version=expected,
                latest_version=latest,
            )
            raise VersionConflictError(
                f"the latest version of {proposal.subject!r} was expected to be {expected}, and "
                f"is {latest}; read it, and retry with what you then find",
                metadata={
                    "subject": proposal.subject,
                    "expectedVersion": str(expected),
                    "latestVersion": str(latest),
                },
            )

    async def _same_as(
        self, latest: Version, basis: _Basis, proposal: Proposal, call: CallContext
    ) -> Registration | None:
        nothing_compared = self._workbench.formats.named(proposal.format).judge(
            (), basis.candidate, mode=basis.settings.mode, policy=basis.settings.policy
        )
        report = json.dumps(nothing_compared.content)
        if proposal.request_id and not proposal.dry_run:

            async def body(transaction: Transaction) -> bool:
                if await self._moved(transaction, basis, proposal, call):
                    return False
                now_ns = self._now_ns(transaction)
                transaction.set_completed_request(
                    _completed(proposal, call, latest.version, report, now_ns, already=True)
                )
                return True

            if not (await self._store.transact(body)).result:
                return None
        return Registration(latest, report, basis.head.revision, already_registered=True)

    async def _judge(self, proposal: Proposal, basis: _Basis, call: CallContext) -> _Judged:
        language = self._workbench.formats.named(proposal.format)
        history = await self._workbench.history(proposal.subject, basis.compared_versions)
        latest = basis.latest
        previous = None if latest is None else await self._workbench.document(latest)
        number = basis.state.version_count + 1

        def judge() -> tuple[Judgement, Action, Projection]:
            """One visit to a thread for all that is pure: every further one waits for its turn."""
            return (
                language.judge(
                    history,
                    basis.candidate,
                    mode=basis.settings.mode,
                    policy=basis.settings.policy,
                ),
                language.action(previous, basis.candidate),
                language.project(
                    basis.candidate,
                    subject=proposal.subject,
                    version=number,
                    field_ids=basis.state.field_ids,
                ),
            )

        judgement, action, projection = await self._workbench.run(judge)
        return _Judged(
            judgement=judgement,
            report=json.dumps(bounded_report(judgement.content)),
            action=action,
            version=NewVersion(
                subject=proposal.subject,
                version=number,
                fingerprint=basis.candidate.fingerprint,
                format=proposal.format,
                text=proposal.text,
                canonical_text=basis.candidate.canonical_text,
                arrow_schema=projection.arrow_schema,
                references=proposal.references,
                labels=proposal.labels,
                action=action,
                registered_at_ns=0,
                effective_from_ns=proposal.effective_from_ns or 0,
                actor=actor_of(call),
                field_ids=projection.field_ids,
            ),
        )

    async def _write(
        self, proposal: Proposal, basis: _Basis, judged: _Judged, call: CallContext
    ) -> Registration | None:
        async def body(transaction: Transaction) -> bool:
            if await self._moved(transaction, basis, proposal, call):
                return False
            now_ns = self._now_ns(transaction)
            effective_from_ns = proposal.effective_from_ns
            transaction.add_version(
                replace(
                    judged.version,
                    registered_at_ns=now_ns,
                    effective_from_ns=now_ns if effective_from_ns is None else effective_from_ns,
                )
            )
            transaction.add_change(
                _change(
                    ChangeKind.VERSION_REGISTERED,
                    proposal,
                    basis,
                    judged,
                    call,
                    now_ns,
                )
            )
            if proposal.request_id:
                transaction.set_completed_request(
                    _completed(
                        proposal,
                        call,
                        judged.version.version,
                        judged.report,
                        now_ns,
                        already=False,
                    )
                )
            return True

        committed = await self._store.transact(body)
        if committed.revision is None:
            return None
        version = committed.revision.changes[0].schema
        assert version is not None
        self._workbench.remember(version, basis.candidate)
        return Registration(version, judged.report, committed.revision.revision)

    async def _would_be(self, basis: _Basis, judged: _Judged) -> Registration:
        """What a dry run answers: the version as it would be, without id if that is not given."""
        new = judged.version
        async with self._store.snapshot() as reader:
            same = await reader.version_with_fingerprint(new.fingerprint)
        now_ns = self._clock.now_ns()
        version = Version(
            subject=new.subject,
            version=new.version,
            schema_id=0 if same is None else same.schema_id,
            fingerprint=new.fingerprint,
            format=new.format,
            text=new.text,
            canonical_text=new.canonical_text,
            arrow_schema=new.arrow_schema,
            references=new.references,
            labels=new.labels,
            state=VersionState.ACTIVE,
            action=new.action,
            registered_at_ns=now_ns,
            effective_from_ns=new.effective_from_ns or now_ns,
            revision=0,
            actor=new.actor,
        )
        return Registration(version, judged.report, basis.head.revision)

    async def _refuse(
        self, proposal: Proposal, basis: _Basis, judged: _Judged, call: CallContext
    ) -> None:
        """Make a refusal an event, at most once an hour for the same one, and raise it.

        Returns only when what was judged has moved meanwhile.
        """
        revision: int | None = None
        if not proposal.dry_run:
            key = (proposal.subject, basis.candidate.fingerprint, call.principal.name)

            async def body(transaction: Transaction) -> bool:
                if await self._moved(transaction, basis, proposal, call):
                    return False
                now_ns = self._now_ns(transaction)
                last = await transaction.refusal(*key)
                if last is None or now_ns - last.refused_at_ns >= _REFUSAL_EVENT_EVERY_NS:
                    transaction.set_refusal(Refusal(*key, refused_at_ns=now_ns))
                    transaction.add_change(
                        _change(
                            ChangeKind.REGISTRATION_REJECTED,
                            proposal,
                            basis,
                            judged,
                            call,
                            now_ns,
                        )
                    )
                return True

            committed = await self._store.transact(body)
            if not committed.result:
                return
            revision = None if committed.revision is None else committed.revision.revision
        refusal: IncompatibleSchemaError = refusal_of(
            proposal.subject, basis.settings, judged.judgement, revision=revision
        )
        raise refusal

    async def _moved(
        self, transaction: Transaction, basis: _Basis, proposal: Proposal, call: CallContext
    ) -> bool:
        """Whether anything a judgement was made from has changed since."""
        if proposal.request_id and await transaction.completed_request(
            call.principal.name, proposal.request_id
        ):
            return True
        if transaction.head.revision == basis.head.revision:
            return False
        state = await transaction.subject(basis.state.name)
        root = await transaction.subject("")
        return (state.revision, root.revision) != (basis.state.revision, basis.settings_revision)

    def _now_ns(self, transaction: Transaction) -> int:
        """The registry's time: never before an earlier change, whatever the machine's clock."""
        return max(self._clock.now_ns(), transaction.head.changed_at_ns)


def actor_of(call: CallContext) -> Actor:
    """Who makes the changes of a call."""
    return Actor(
        principal=call.principal.name,
        authentication=call.principal.authentication,
        on_behalf_of=call.principal.on_behalf_of or "",
        request_id=call.request_id,
    )


async def _basis(reader: Reader, subject: str, candidate: Document) -> _Basis:
    root = await reader.subject("")
    state = await reader.subject(subject)
    latest = await reader.version(subject, state.latest_version) if state.latest_version else None
    return _Basis(
        head=reader.head,
        state=state,
        settings=state.settings.over(root.settings.over(DEFAULTS)),
        settings_revision=root.revision,
        latest=latest,
        candidate=candidate,
    )


def _change(
    kind: ChangeKind,
    proposal: Proposal,
    basis: _Basis,
    judged: _Judged,
    call: CallContext,
    now_ns: int,
) -> NewChange:
    registered = kind is ChangeKind.VERSION_REGISTERED
    return NewChange(
        kind=kind,
        subject=proposal.subject,
        version=judged.version.version if registered else None,
        previous=basis.latest,
        action=judged.action,
        report=judged.report,
        settings=None,
        rejected_text=None if registered else proposal.text,
        actor=actor_of(call),
        changed_at_ns=now_ns,
        verdict=judged.judgement.verdict,
    )


def _completed(
    proposal: Proposal, call: CallContext, version: int, report: str, now_ns: int, *, already: bool
) -> CompletedRequest:
    return CompletedRequest(
        principal=call.principal.name,
        request_id=proposal.request_id,
        digest=proposal.digest(),
        outcomes=(RegisteredOutcome(proposal.subject, version, already, report),),
        completed_at_ns=now_ns,
    )
