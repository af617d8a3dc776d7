"""From what was decided to what a transaction stages."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .domain.changes import ChangeKind
from .domain.versions import Actor, Version, VersionState
from .judging import Judged, PolicyStep
from .store import NewChange, RegisteredOutcome, SettingsOutcome

if TYPE_CHECKING:
    from tickmesh_serving.call_context import CallContext
    from tickmesh_serving.clock import Clock

    from .judging import Step
    from .store import Outcome, Transaction


def actor_of(call: CallContext) -> Actor:
    """Who makes the changes of a call."""
    return Actor(
        principal=call.principal.name,
        authentication=call.principal.authentication,
        on_behalf_of=call.principal.on_behalf_of or "",
        request_id=call.request_id,
    )


def time_of(transaction: Transaction, clock: Clock) -> int:
    """The registry's time: never before an earlier change, whatever the machine's clock."""
    return max(clock.now_ns(), transaction.head.changed_at_ns)


def stage(transaction: Transaction, step: Step, actor: Actor, now_ns: int) -> None:
    """Stage what a step changes, if it changes anything."""
    if isinstance(step, Judged):
        effective_from_ns = step.proposal.effective_from_ns
        transaction.add_version(
            replace(
                step.version,
                registered_at_ns=now_ns,
                effective_from_ns=now_ns if effective_from_ns is None else effective_from_ns,
            )
        )
        transaction.add_change(_registered(step, actor, now_ns))
    elif isinstance(step, PolicyStep) and step.is_new:
        transaction.set_settings(step.change.subject, step.change.settings)
        transaction.add_change(_policy_changed(step, actor, now_ns))


def changes(step: Step) -> bool:
    """Whether a step changes anything."""
    return isinstance(step, Judged) or (isinstance(step, PolicyStep) and step.is_new)


def outcome_of(step: Step) -> Outcome:
    """What is answered when the same request comes again."""
    if isinstance(step, PolicyStep):
        return SettingsOutcome(step.settings)
    judged = isinstance(step, Judged)
    return RegisteredOutcome(step.proposal.subject, step.version.version, not judged, step.report)


def rejected(step: Judged, actor: Actor, now_ns: int) -> NewChange:
    """The log entry of a refusal."""
    return replace(
        _registered(step, actor, now_ns),
        kind=ChangeKind.REGISTRATION_REJECTED,
        version=None,
        rejected_text=step.proposal.text,
    )


def would_be(step: Judged, *, schema_id: int, now_ns: int) -> Version:
    """The version a step would register; its schema id is 0 if it is not given yet."""
    new = step.version
    return Version(
        subject=new.subject,
        version=new.version,
        schema_id=schema_id,
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
        data_report=new.data_report,
    )


def _registered(step: Judged, actor: Actor, now_ns: int) -> NewChange:
    return NewChange(
        kind=ChangeKind.VERSION_REGISTERED,
        subject=step.proposal.subject,
        version=step.version.version,
        previous=step.previous,
        action=step.action,
        report=step.report,
        settings=None,
        rejected_text=None,
        actor=actor,
        changed_at_ns=now_ns,
        verdict=step.judgement.verdict,
    )


def _policy_changed(step: PolicyStep, actor: Actor, now_ns: int) -> NewChange:
    return NewChange(
        kind=ChangeKind.POLICY_CHANGED,
        subject=step.change.subject,
        version=None,
        previous=None,
        action=None,
        report=None,
        settings=step.settings,
        rejected_text=None,
        actor=actor,
        changed_at_ns=now_ns,
    )
