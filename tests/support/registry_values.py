"""Values of the registry's domain, for tests that do not care about most of their fields."""

from __future__ import annotations

import json
from dataclasses import replace

from tickmesh_registry.domain.changes import ChangeKind
from tickmesh_registry.domain.compatibility import Action, Verdict
from tickmesh_registry.domain.evidence import DataReport, FailingRows
from tickmesh_registry.domain.versions import Actor, Reference, Version, VersionState
from tickmesh_registry.store import (
    Committed,
    NewChange,
    NewStanding,
    NewVersion,
    SchemaStore,
    SubjectState,
    Transaction,
)

ACTOR = Actor(principal="ada", authentication="token", on_behalf_of="desk", request_id="request-1")
REPORT = json.dumps(
    {
        "verdict": "compatible",
        "mode": "BACKWARD_TRANSITIVE",
        "policy": "record",
        "comparisons": [],
        "engine": "none",
    }
)
DATA_REPORT = DataReport(
    source="ticks.trades@1042",
    made_at_ns=900,
    rows_checked=10,
    rows_rejected=2,
    rows_released=1,
    reasons=(FailingRows("minimum", "/price", 2),),
)


def new_version(
    state: SubjectState, *, fingerprint: str = "", text: str = "{}", at_ns: int = 1_000
) -> NewVersion:
    """The next version of a subject."""
    number = state.version_count + 1
    return NewVersion(
        subject=state.name,
        version=number,
        fingerprint=fingerprint or f"fingerprint of {state.name} {number}",
        format="json-schema",
        text=text,
        canonical_text=text,
        arrow_schema=b"arrow",
        references=(),
        labels={"team": "equities"},
        action=Action.COMPATIBLE_CHANGE if state.version_count else Action.FIRST,
        registered_at_ns=at_ns,
        effective_from_ns=at_ns,
        actor=ACTOR,
        field_ids='{"price": 1}',
    )


def registered(new: NewVersion, previous: Version | None = None) -> NewChange:
    """The log entry of a registration."""
    return NewChange(
        kind=ChangeKind.VERSION_REGISTERED,
        subject=new.subject,
        version=new.version,
        previous=previous,
        action=new.action,
        report=REPORT,
        verdict=Verdict.COMPATIBLE,
        settings=None,
        rejected_text=None,
        actor=new.actor,
        changed_at_ns=new.registered_at_ns,
    )


async def register(
    store: SchemaStore,
    subject: str,
    *,
    fingerprint: str = "",
    text: str = "{}",
    at_ns: int = 1_000,
    references: tuple[Reference, ...] = (),
    report: str = REPORT,
) -> Version:
    """Register the next version of a subject straight in a store."""

    async def body(transaction: Transaction) -> None:
        state = await transaction.subject(subject)
        new = new_version(state, fingerprint=fingerprint, text=text, at_ns=at_ns)
        new = replace(new, references=references, data_report=DATA_REPORT)
        previous = await transaction.version(subject, state.latest_version)
        transaction.add_version(new)
        transaction.add_change(replace(registered(new, previous), report=report))

    committed: Committed[None] = await store.transact(body)
    assert committed.revision is not None
    version = committed.revision.changes[0].schema
    assert version is not None
    return version


def rejected(subject: str, *, at_ns: int = 1_000) -> NewChange:
    """The log entry of a refusal."""
    return replace(
        registered(new_version(SubjectState(subject), at_ns=at_ns)),
        kind=ChangeKind.REGISTRATION_REJECTED,
        version=None,
        action=Action.BREAKING_CHANGE,
        rejected_text="{}",
    )


async def set_standing(
    store: SchemaStore,
    subject: str,
    number: int,
    state: VersionState,
    *,
    note: str = "",
    at_ns: int = 1_000,
) -> Version:
    """Put a version into another state, straight in a store."""
    kinds = {
        VersionState.ACTIVE: ChangeKind.VERSION_RESTORED,
        VersionState.DEPRECATED: ChangeKind.VERSION_DEPRECATED,
        VersionState.DELETED: ChangeKind.VERSION_DELETED,
        VersionState.REMOVED: ChangeKind.VERSION_DELETED,
    }

    async def body(transaction: Transaction) -> None:
        before = await transaction.version(subject, number)
        assert before is not None
        transaction.set_standing(NewStanding(before, state, note))
        transaction.add_change(
            NewChange(
                kind=kinds[state],
                subject=subject,
                version=number,
                previous=before,
                action=None,
                report=None,
                settings=None,
                rejected_text=None,
                actor=ACTOR,
                changed_at_ns=at_ns,
            )
        )

    committed: Committed[None] = await store.transact(body)
    assert committed.revision is not None
    version = committed.revision.changes[0].schema
    assert version is not None
    return version
