"""Domain values as rows, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tickmesh_registry.domain.changes import Change, ChangeKind
from tickmesh_registry.domain.compatibility import (
    Action,
    Mode,
    Policy,
    Settings,
    SettingsOverride,
    UndecidedPolicy,
)
from tickmesh_registry.domain.versions import Actor, Reference, Version, VersionState
from tickmesh_registry.store import SubjectState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import RowMapping

Row = dict[str, Any]


def actor_row(actor: Actor) -> Row:
    """The four columns that say who."""
    return {
        "principal": actor.principal,
        "authentication": actor.authentication,
        "on_behalf_of": actor.on_behalf_of,
        "request_id": actor.request_id,
    }


def _actor(row: RowMapping) -> Actor:
    return Actor(
        principal=row["principal"],
        authentication=row["authentication"],
        on_behalf_of=row["on_behalf_of"],
        request_id=row["request_id"],
    )


def version_row(version: Version) -> Row:
    """A row of `versions`."""
    return {
        "subject": version.subject,
        "version": version.version,
        "schema_id": version.schema_id,
        "format": version.format,
        "text": version.text,
        "arrow_schema": version.arrow_schema,
        "schema_references": json.dumps(
            [[r.name, r.subject, r.version] for r in version.references]
        ),
        "labels": json.dumps(dict(version.labels)),
        "state": version.state.value,
        "action": version.action.value,
        "registered_at_ns": version.registered_at_ns,
        "effective_from_ns": version.effective_from_ns,
        "revision": version.revision,
        **actor_row(version.actor),
    }


def version_of(row: RowMapping) -> Version:
    """A version from a row of `versions` joined with `schemas`."""
    return Version(
        subject=row["subject"],
        version=row["version"],
        schema_id=row["schema_id"],
        fingerprint=row["fingerprint"],
        format=row["format"],
        text=row["text"],
        canonical_text=row["canonical_text"],
        arrow_schema=row["arrow_schema"],
        references=tuple(Reference(*fields) for fields in json.loads(row["schema_references"])),
        labels=json.loads(row["labels"]),
        state=VersionState(row["state"]),
        action=Action(row["action"]),
        registered_at_ns=row["registered_at_ns"],
        effective_from_ns=row["effective_from_ns"],
        revision=row["revision"],
        actor=_actor(row),
    )


def settings_row(settings: SettingsOverride) -> Row:
    """The settings columns of `subjects`."""
    return {
        "mode": settings.mode,
        "policy": settings.policy,
        "undecided": settings.undecided,
    }


def subject_of(row: RowMapping) -> SubjectState:
    """A subject from its row."""
    return SubjectState(
        name=row["name"],
        latest_version=row["latest_version"],
        version_count=row["version_count"],
        revision=row["revision"],
        settings=SettingsOverride(
            mode=None if row["mode"] is None else Mode(row["mode"]),
            policy=None if row["policy"] is None else Policy(row["policy"]),
            undecided=None if row["undecided"] is None else UndecidedPolicy(row["undecided"]),
        ),
        field_ids=row["field_ids"],
    )


def change_row(change: Change) -> Row:
    """A row of `change_log`."""
    settings = change.settings
    return {
        "revision": change.revision,
        "sequence": change.sequence,
        "kind": change.kind.value,
        "subject": change.subject,
        "version": None if change.schema is None else change.schema.version,
        "previous_version": None if change.previous is None else change.previous.version,
        "action": None if change.action is None else change.action.value,
        "report": change.report,
        "settings": settings and json.dumps([settings.mode, settings.policy, settings.undecided]),
        "rejected_text": change.rejected_text,
        "changed_at_ns": change.changed_at_ns,
        **actor_row(change.actor),
    }


def change_of(row: RowMapping, versions: Mapping[tuple[str, int], Version]) -> Change:
    """A change from its row and the versions it names."""
    subject = row["subject"]
    settings = None
    if row["settings"] is not None:
        mode, policy, undecided = json.loads(row["settings"])
        settings = Settings(Mode(mode), Policy(policy), UndecidedPolicy(undecided))
    return Change(
        revision=row["revision"],
        sequence=row["sequence"],
        kind=ChangeKind(row["kind"]),
        subject=subject,
        schema=None if row["version"] is None else versions[subject, row["version"]],
        previous=(
            None if row["previous_version"] is None else versions[subject, row["previous_version"]]
        ),
        action=None if row["action"] is None else Action(row["action"]),
        report=row["report"],
        settings=settings,
        rejected_text=row["rejected_text"],
        actor=_actor(row),
        changed_at_ns=row["changed_at_ns"],
    )
