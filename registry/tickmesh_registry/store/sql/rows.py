"""Domain values as rows, and back."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from tickmesh_registry.domain.changes import Change, ChangeKind
from tickmesh_registry.domain.compatibility import (
    Action,
    Mode,
    Policy,
    Settings,
    SettingsOverride,
    UndecidedPolicy,
    Verdict,
)
from tickmesh_registry.domain.evidence import DataReport, data_report_of
from tickmesh_registry.domain.versions import Actor, Reference, Version, VersionState
from tickmesh_registry.store import (
    CompletedRequest,
    Outcome,
    RegisteredOutcome,
    SettingsOutcome,
    SubjectState,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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


def _actor(row: RowMapping | Row) -> Actor:
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
        "deprecation_note": version.deprecation_note,
        "data_report": (
            None if version.data_report is None else json.dumps(asdict(version.data_report))
        ),
        **actor_row(version.actor),
    }


def reference_rows(version: Version) -> Iterator[Row]:
    """The rows of `version_references` that belong to a version."""
    for reference in version.references:
        yield {
            "subject": version.subject,
            "version": version.version,
            "name": reference.name,
            "referenced_subject": reference.subject,
            "referenced_version": reference.version,
        }


def _data_report(text: str | None) -> DataReport | None:
    return None if text is None else data_report_of(json.loads(text))


def version_of(row: RowMapping | Row) -> Version:
    """A version from a row of `versions` joined with `schemas`."""
    state = VersionState(row["state"])
    return Version(
        subject=row["subject"],
        version=row["version"],
        schema_id=row["schema_id"],
        fingerprint=row["fingerprint"],
        format=row["format"],
        text=row["text"],
        # Another version may share the schema, and keep its canonical text.
        canonical_text="" if state is VersionState.REMOVED else row["canonical_text"],
        arrow_schema=row["arrow_schema"],
        references=tuple(Reference(*fields) for fields in json.loads(row["schema_references"])),
        labels=json.loads(row["labels"]),
        state=state,
        action=Action(row["action"]),
        registered_at_ns=row["registered_at_ns"],
        effective_from_ns=row["effective_from_ns"],
        revision=row["revision"],
        actor=_actor(row),
        deprecation_note=row["deprecation_note"],
        data_report=_data_report(row["data_report"]),
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
    schema, previous = change.schema, change.previous
    return {
        "revision": change.revision,
        "sequence": change.sequence,
        "kind": change.kind.value,
        "subject": change.subject,
        "version": None if schema is None else schema.version,
        "state": None if schema is None else schema.state.value,
        "deprecation_note": None if schema is None else schema.deprecation_note,
        "previous_version": None if previous is None else previous.version,
        "previous_state": None if previous is None else previous.state.value,
        "previous_deprecation_note": None if previous is None else previous.deprecation_note,
        "action": None if change.action is None else change.action.value,
        "report": change.report,
        "verdict": None if change.verdict is None else change.verdict.value,
        "settings": None
        if change.settings is None
        else json.dumps(_settings_list(change.settings)),
        "rejected_text": change.rejected_text,
        "changed_at_ns": change.changed_at_ns,
        **actor_row(change.actor),
    }


def change_of(row: RowMapping, versions: Mapping[tuple[str, int], Version]) -> Change:
    """A change from its row and the versions it names."""
    subject = row["subject"]

    def as_of_then(version: str, state: str, note: str) -> Version | None:
        if row[version] is None:
            return None
        now = versions[subject, row[version]]
        return replace(now, state=VersionState(row[state]), deprecation_note=row[note])

    return Change(
        revision=row["revision"],
        sequence=row["sequence"],
        kind=ChangeKind(row["kind"]),
        subject=subject,
        schema=as_of_then("version", "state", "deprecation_note"),
        previous=as_of_then("previous_version", "previous_state", "previous_deprecation_note"),
        action=None if row["action"] is None else Action(row["action"]),
        report=row["report"],
        settings=None if row["settings"] is None else _settings_of(json.loads(row["settings"])),
        rejected_text=row["rejected_text"],
        actor=_actor(row),
        changed_at_ns=row["changed_at_ns"],
        verdict=None if row["verdict"] is None else Verdict(row["verdict"]),
    )


def request_row(request: CompletedRequest) -> Row:
    """A row of `completed_requests`."""
    return {
        "principal": request.principal,
        "request_id": request.request_id,
        "digest": request.digest,
        "revision": request.revision,
        "outcomes": outcomes_text(request.outcomes),
        "completed_at_ns": request.completed_at_ns,
    }


def request_of(row: RowMapping) -> CompletedRequest:
    """An idempotency record from its row."""
    return CompletedRequest(
        principal=row["principal"],
        request_id=row["request_id"],
        digest=row["digest"],
        outcomes=outcomes_of(row["outcomes"]),
        completed_at_ns=row["completed_at_ns"],
        revision=row["revision"],
    )


def outcomes_text(outcomes: tuple[Outcome, ...]) -> str:
    """Outcomes as they are kept: a registration by its subject first, to be found again by it."""
    return json.dumps(
        [
            [each.subject, each.version, each.already_registered, each.report]
            if isinstance(each, RegisteredOutcome)
            else _settings_list(each.settings)
            for each in outcomes
        ]
    )


def outcomes_of(text: str) -> tuple[Outcome, ...]:
    """Outcomes from their text."""
    return tuple(
        RegisteredOutcome(*each) if len(each) == 4 else SettingsOutcome(_settings_of(each))
        for each in json.loads(text)
    )


def _settings_list(settings: Settings) -> list[str]:
    return [settings.mode, settings.policy, settings.undecided]


def _settings_of(values: list[str]) -> Settings:
    mode, policy, undecided = values
    return Settings(Mode(mode), Policy(policy), UndecidedPolicy(undecided))
