"""Registering versions and changing policies: judge outside the store, decide inside it.

Comparing schemas may take long, so it happens outside of the transaction, against the versions and
settings of one snapshot. The transaction then makes sure that nothing of what was judged has moved
since; if it has, everything is judged again. So two racing registrations can never both pass a
check that one of them would fail. A single registration is a change set of one.
"""

from __future__ import annotations

import asyncio
import weakref
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from .domain.errors import RequestIdReusedError, VersionConflictError
from .judging import Draft, Judge, Judged, PolicyStep
from .proposal import ChangeSet, ChangeSetApplied, PolicyChange, Proposal, Registration
from .refusal import refusal_of
from .requirements import Requirements, naming_items, naming_nothing
from .store import BasisQuestion, CompletedRequest, Refusal, SettingsOutcome
from .writing import actor_of, changes, outcome_of, rejected, stage, time_of, would_be

if TYPE_CHECKING:
    from tickmesh_serving.call_context import CallContext
    from tickmesh_serving.clock import Clock
    from tickmesh_serving.permissions import Grants

    from .domain.changes import Revision
    from .domain.compatibility import Settings
    from .judging import Step
    from .requirements import ItemNaming
    from .store import Reader, RegistrationBasis, SchemaStore, Transaction
    from .workbench import Workbench

_ATTEMPTS = 8
_REFUSAL_EVENT_EVERY_NS = 3_600 * 1_000_000_000


class Registrar:
    """Registers versions and changes policies."""

    def __init__(
        self, store: SchemaStore, workbench: Workbench, *, clock: Clock, grants: Grants
    ) -> None:
        self._store = store
        self._workbench = workbench
        self._judge = Judge(workbench)
        self._clock = clock
        self._requirements = Requirements(clock=clock, grants=grants)
        # One registration a subject at a time: otherwise all but one would judge in vain.
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def register(self, proposal: Proposal, call: CallContext) -> Registration:
        """Register a schema if its subject's compatibility allows.

        Raises:
            InvalidArgumentError: A field is out of bounds.
            InvalidSchemaError: The text is no schema that can be registered.
            VersionNotFoundError: A reference leads nowhere.
            VersionRemovedError: A reference leads to a version that was removed for good.
            PermissionDeniedError: allow_breaking or backdating is not granted.
            VersionConflictError: The latest version is not the expected one.
            RequestIdReusedError: The request id was used with another content.
            IncompatibleSchemaError: The verdict refuses it.
        """
        alone = ChangeSet((proposal,), proposal.request_id, proposal.dry_run)
        (registration,) = (await self._apply(alone, call, naming_nothing)).results
        assert isinstance(registration, Registration)
        return registration

    async def change_policy(self, change: PolicyChange, call: CallContext) -> ChangeSetApplied:
        """Set what a subject, or the registry as a whole, sets itself.

        Raises:
            InvalidArgumentError: A field is out of bounds.
            PermissionDeniedError: It is not granted.
        """
        return await self._apply(ChangeSet((change,)), call, naming_nothing)

    async def apply(self, change_set: ChangeSet, call: CallContext) -> ChangeSetApplied:
        """Register versions and change policies as one revision, all or nothing.

        Raises what `register` and `change_policy` raise, with the item named in metadata and
        fields. A refusal leaves nothing but what a refused single registration leaves.
        """
        return await self._apply(change_set, call, naming_items)

    async def _apply(
        self, change_set: ChangeSet, call: CallContext, naming: ItemNaming
    ) -> ChangeSetApplied:
        self._requirements.check(change_set, call, naming)
        proposals = [item for item in change_set.items if isinstance(item, Proposal)]
        subjects = sorted({proposal.subject for proposal in proposals})
        locks = [self._locks.setdefault(subject, asyncio.Lock()) for subject in subjects]
        async with AsyncExitStack() as held:
            for lock in locks:
                await held.enter_async_context(lock)
            for _ in range(_ATTEMPTS):
                applied = await self._attempt(change_set, call, naming)
                if applied is not None:
                    return applied
        named = ", ".join(sorted({item.subject for item in change_set.items})[:3])
        raise VersionConflictError(
            f"what was read of {named} kept changing before it could be written; retry",
            metadata={"subject": named},
            retry_after_seconds=1.0,
        )

    async def _attempt(
        self, change_set: ChangeSet, call: CallContext, naming: ItemNaming
    ) -> ChangeSetApplied | None:
        """One try on one snapshot; none when what it was judged from has moved meanwhile."""
        async with self._store.snapshot() as reader:
            basis = await reader.registration_basis(_question(change_set, call))
            if basis.completed is not None:
                return await _answered_before(reader, basis.completed, change_set)
        draft = Draft(basis)
        actor = actor_of(call)
        for position, item in enumerate(change_set.items):
            with naming(position, item):
                if isinstance(item, PolicyChange):
                    draft.change_policy(item)
                    continue
                step = await self._judge.judge(item, draft, actor)
                if isinstance(step, Judged) and not step.is_admitted:
                    await self._refuse(step, basis, call, dry_run=change_set.dry_run)
                    return None
                draft.add(step)
        if change_set.dry_run:
            return await self._would_be(draft)
        return await self._write(change_set, draft, call)

    async def _write(
        self, change_set: ChangeSet, draft: Draft, call: CallContext
    ) -> ChangeSetApplied | None:
        if not (change_set.request_id or any(map(changes, draft.steps))):
            return _applied(draft.steps, None, draft.basis.head.revision)

        async def body(transaction: Transaction) -> bool:
            if await transaction.moved_since(draft.basis):
                return False
            now_ns = time_of(transaction, self._clock)
            for step in draft.steps:
                stage(transaction, step, actor_of(call), now_ns)
            if change_set.request_id:
                transaction.set_completed_request(
                    CompletedRequest(
                        principal=call.principal.name,
                        request_id=change_set.request_id,
                        digest=change_set.digest(),
                        outcomes=tuple(map(outcome_of, draft.steps)),
                        completed_at_ns=now_ns,
                    )
                )
            return True

        committed = await self._store.transact(body)
        if not committed.result:
            return None
        applied = _applied(draft.steps, committed.revision, committed.head.revision)
        for step, result in zip(draft.steps, applied.results, strict=True):
            if isinstance(step, Judged) and isinstance(result, Registration):
                self._workbench.remember(result.version, step.candidate)
        return applied

    async def _would_be(self, draft: Draft) -> ChangeSetApplied:
        """What a dry run answers: the versions as they would be."""
        revision, now_ns = draft.basis.head.revision, self._clock.now_ns()
        results: list[Registration | Settings] = []
        async with self._store.snapshot() as reader:
            for step in draft.steps:
                if not isinstance(step, Judged):
                    results.append(_unwritten(step, revision))
                    continue
                same = await reader.version_with_fingerprint(step.version.fingerprint)
                schema_id = 0 if same is None else same.schema_id
                version = would_be(step, schema_id=schema_id, now_ns=now_ns)
                results.append(Registration(version, step.report, revision))
        return ChangeSetApplied(tuple(results), revision)

    async def _refuse(
        self, step: Judged, basis: RegistrationBasis, call: CallContext, *, dry_run: bool
    ) -> None:
        """Make a refusal an event, at most once an hour for the same one, and raise it.

        Returns only when what was judged has moved meanwhile.
        """
        revision: int | None = None
        if not dry_run:
            key = (step.proposal.subject, step.candidate.fingerprint, call.principal.name)

            async def body(transaction: Transaction) -> bool:
                if await transaction.moved_since(basis):
                    return False
                now_ns = time_of(transaction, self._clock)
                last = await transaction.refusal(*key)
                if last is None or now_ns - last.refused_at_ns >= _REFUSAL_EVENT_EVERY_NS:
                    transaction.set_refusal(Refusal(*key, refused_at_ns=now_ns))
                    transaction.add_change(rejected(step, actor_of(call), now_ns))
                return True

            committed = await self._store.transact(body)
            if not committed.result:
                return
            revision = None if committed.revision is None else committed.revision.revision
        raise refusal_of(step.proposal.subject, step.settings, step.judgement, revision=revision)


def _question(change_set: ChangeSet, call: CallContext) -> BasisQuestion:
    references = {
        (reference.subject, reference.version): None
        for item in change_set.items
        if isinstance(item, Proposal)
        for reference in item.references
    }
    return BasisQuestion(
        subjects=tuple(dict.fromkeys(item.subject for item in change_set.items)),
        references=tuple(references),
        principal=call.principal.name,
        request_id="" if change_set.dry_run else change_set.request_id,
    )


async def _answered_before(
    reader: Reader, request: CompletedRequest, change_set: ChangeSet
) -> ChangeSetApplied:
    if request.digest != change_set.digest():
        raise RequestIdReusedError(
            f"request id {request.request_id!r} was used before with another content; give every "
            "new request an id of its own",
            metadata={"requestId": request.request_id},
        )
    results: list[Registration | Settings] = []
    for outcome in request.outcomes:
        if isinstance(outcome, SettingsOutcome):
            results.append(outcome.settings)
            continue
        version = await reader.version(outcome.subject, outcome.version)
        assert version is not None
        results.append(
            Registration(version, outcome.report, request.revision, outcome.already_registered)
        )
    return ChangeSetApplied(tuple(results), request.revision)


def _applied(steps: list[Step], written: Revision | None, revision: int) -> ChangeSetApplied:
    registered = {
        (change.schema.subject, change.schema.version): change.schema
        for change in (() if written is None else written.changes)
        if change.schema is not None
    }
    return ChangeSetApplied(
        tuple(
            Registration(
                registered[step.version.subject, step.version.version], step.report, revision
            )
            if isinstance(step, Judged)
            else _unwritten(step, revision)
            for step in steps
        ),
        revision,
    )


def _unwritten(step: Step, revision: int) -> Registration | Settings:
    if isinstance(step, PolicyStep):
        return step.settings
    assert not isinstance(step, Judged)
    return Registration(step.version, step.report, revision, already_registered=True)
