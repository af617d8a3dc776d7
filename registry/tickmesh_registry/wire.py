"""Domain values as messages of the wire, and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

from tickmesh.api.registry.v1 import change_pb2, compatibility_pb2, difference_pb2, schema_pb2
from tickmesh.schema import ColumnAction
from tickmesh.schema.errors import pointer_of

from .domain.bounds import MAX_INSTANT_NS
from .domain.changes import ChangeKind, FilterTransition
from .domain.compatibility import (
    Action,
    Mode,
    Policy,
    Settings,
    SettingsOverride,
    UndecidedPolicy,
    Verdict,
)
from .domain.errors import InvalidArgumentError
from .domain.evidence import DataReport, FailingRows
from .domain.versions import Reference, VersionState
from .pages import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from enum import StrEnum

    from tickmesh.schema import ColumnPlan

    from .differences import Difference
    from .domain.changes import Change
    from .domain.versions import Actor, Version
    from .store import SubjectState

Member = TypeVar("Member", bound="StrEnum")

JSON_SCHEMA = "json-schema"

_LONGEST_TEXT = 1_000

_NOT_BASIC: tuple[Literal["text", "canonical_text", "arrow_schema", "data_report"], ...] = (
    "text",
    "canonical_text",
    "arrow_schema",
    "data_report",
)


class _Codes(dict[int, Member]):
    """Numbers of a wire enum and the members they stand for."""

    def __init__(self, members: type[Member], enum: Any, prefix: str) -> None:
        super().__init__({enum.Value(f"{prefix}_{member.name}"): member for member in members})
        self._numbers = {member: number for number, member in self.items()}

    def number(self, member: Member) -> Any:
        return self._numbers[member]

    def member(self, number: int, *, field: str) -> Member | None:
        """The member, none for UNSPECIFIED; raises for numbers this server does not know."""
        if number == 0:
            return None
        if number not in self:
            raise InvalidArgumentError.of(field, f"expected a value of its enum, got {number}")
        return self[number]


_MODES = _Codes(Mode, compatibility_pb2.CompatibilityMode, "COMPATIBILITY_MODE")
_POLICIES = _Codes(Policy, compatibility_pb2.CompatibilityPolicy, "COMPATIBILITY_POLICY")
_UNDECIDED = _Codes(UndecidedPolicy, compatibility_pb2.UndecidedPolicy, "UNDECIDED_POLICY")
_VERDICTS = _Codes(Verdict, compatibility_pb2.Verdict, "VERDICT")
_ACTIONS = _Codes(Action, schema_pb2.Action, "ACTION")
_STATES = _Codes(VersionState, schema_pb2.VersionState, "VERSION_STATE")
_STEPS = _Codes(ColumnAction, difference_pb2.ColumnStep, "COLUMN_STEP")
_KINDS = _Codes(ChangeKind, change_pb2.ChangeKind, "CHANGE_KIND")

# A message is its fields, one after the other: these bytes behind an event set one more.
_TRANSITION_MARKS = {
    FilterTransition.NONE: b"",
    FilterTransition.ENTERED: change_pb2.ChangeEvent(
        transition=change_pb2.FILTER_TRANSITION_ENTERED
    ).SerializeToString(),
    FilterTransition.LEFT: change_pb2.ChangeEvent(
        transition=change_pb2.FILTER_TRANSITION_LEFT
    ).SerializeToString(),
}


def format_name(number: int) -> str:
    """The format plug-in a request names; JSON Schema when it names none."""
    if number in (
        schema_pb2.SCHEMA_FORMAT_UNSPECIFIED,
        schema_pb2.SCHEMA_FORMAT_JSON_SCHEMA,
    ):
        return JSON_SCHEMA
    raise InvalidArgumentError.of("format", f"expected SCHEMA_FORMAT_JSON_SCHEMA, got {number}")


def timestamp(instant_ns: int) -> Timestamp:
    """An instant as a message, to the nanosecond."""
    seconds, nanos = divmod(instant_ns, 1_000_000_000)
    return Timestamp(seconds=seconds, nanos=nanos)


def instant_ns(message: Timestamp, *, field: str) -> int:
    """A message as an instant; raises InvalidArgumentError outside of 1677 to 2262."""
    instant = message.seconds * 1_000_000_000 + message.nanos
    if not -MAX_INSTANT_NS <= instant <= MAX_INSTANT_NS:
        raise InvalidArgumentError.of(
            field, f"expected an instant that fits nanoseconds in 64 bits, got {instant} ns"
        )
    return instant


def references_of(messages: Iterable[schema_pb2.SchemaReference]) -> tuple[Reference, ...]:
    """Pinned references as the domain has them."""
    return tuple(Reference(m.name, m.subject, m.version) for m in messages)


def settings_of(message: compatibility_pb2.CompatibilitySettings) -> SettingsOverride:
    """Settings as the domain has them; UNSPECIFIED inherits."""
    return SettingsOverride(
        mode=mode_of(message.mode, field="settings.mode"),
        policy=policy_of(message.policy, field="settings.policy"),
        undecided=_UNDECIDED.member(message.undecided, field="settings.undecided"),
    )


def mode_of(number: int, *, field: str) -> Mode | None:
    """A mode, none for UNSPECIFIED."""
    return _MODES.member(number, field=field)


def policy_of(number: int, *, field: str) -> Policy | None:
    """A policy, none for UNSPECIFIED."""
    return _POLICIES.member(number, field=field)


def kinds_of(numbers: Iterable[int]) -> frozenset[ChangeKind]:
    """Kinds of change, UNSPECIFIED left out."""
    members = (_KINDS.member(number, field="filter.kinds") for number in numbers)
    return frozenset(member for member in members if member is not None)


def actions_of(numbers: Iterable[int]) -> frozenset[Action]:
    """Actions, UNSPECIFIED left out."""
    members = (_ACTIONS.member(number, field="filter.actions") for number in numbers)
    return frozenset(member for member in members if member is not None)


def states_of(numbers: Iterable[int]) -> frozenset[VersionState]:
    """States of versions, UNSPECIFIED left out."""
    members = (_STATES.member(number, field="filter.states") for number in numbers)
    return frozenset(member for member in members if member is not None)


def verdicts_of(numbers: Iterable[int]) -> frozenset[Verdict]:
    """Verdicts, UNSPECIFIED left out."""
    members = (_VERDICTS.member(number, field="filter.verdicts") for number in numbers)
    return frozenset(member for member in members if member is not None)


def data_report_of(message: schema_pb2.DataReport) -> DataReport:
    """What a proposer found in data."""
    return DataReport(
        source=message.source,
        made_at_ns=(
            instant_ns(message.made_at, field="data_report.made_at")
            if message.HasField("made_at")
            else None
        ),
        rows_checked=message.rows_checked,
        rows_rejected=message.rows_rejected,
        rows_released=message.rows_released,
        reasons=tuple(FailingRows(m.reason, m.path, m.rows) for m in message.reasons),
        fingerprint=message.fingerprint,
    )


def _data_report_message(report: DataReport) -> schema_pb2.DataReport:
    return schema_pb2.DataReport(
        source=report.source,
        made_at=None if report.made_at_ns is None else timestamp(report.made_at_ns),
        rows_checked=report.rows_checked,
        rows_rejected=report.rows_rejected,
        rows_released=report.rows_released,
        reasons=[
            schema_pb2.DataReportReason(reason=each.reason, path=each.path, rows=each.rows)
            for each in report.reasons
        ],
        fingerprint=report.fingerprint,
    )


def settings_message(settings: Settings) -> compatibility_pb2.CompatibilitySettings:
    """Settings in effect."""
    return compatibility_pb2.CompatibilitySettings(
        mode=_MODES.number(settings.mode),
        policy=_POLICIES.number(settings.policy),
        undecided=_UNDECIDED.number(settings.undecided),
    )


def actor_message(actor: Actor) -> schema_pb2.Actor:
    """Who made a change."""
    return schema_pb2.Actor(
        principal=actor.principal,
        authentication=actor.authentication,
        on_behalf_of=actor.on_behalf_of,
        request_id=actor.request_id,
    )


def version_message(version: Version, *, view: View = View.FULL) -> schema_pb2.SchemaVersion:
    """One version, as much of it as the view says."""
    message = schema_pb2.SchemaVersion(
        subject=version.subject,
        version=version.version,
        schema_id=version.schema_id,
        fingerprint=version.fingerprint,
        format=schema_pb2.SCHEMA_FORMAT_JSON_SCHEMA,
        text=version.text,
        canonical_text=version.canonical_text,
        arrow_schema=version.arrow_schema,
        references=[
            schema_pb2.SchemaReference(name=r.name, subject=r.subject, version=r.version)
            for r in version.references
        ],
        labels=version.labels,
        state=_STATES.number(version.state),
        action=_ACTIONS.number(version.action),
        registered_at=timestamp(version.registered_at_ns),
        effective_from=timestamp(version.effective_from_ns),
        revision=version.revision,
        actor=actor_message(version.actor),
        deprecation_note=version.deprecation_note,
        data_report=(
            None if version.data_report is None else _data_report_message(version.data_report)
        ),
    )
    if view is View.BASIC:
        for field in _NOT_BASIC:
            message.ClearField(field)
    return message


def subject_message(state: SubjectState) -> schema_pb2.Subject:
    """A subject and where it stands."""
    return schema_pb2.Subject(
        name=state.name,
        latest_version=state.latest_version,
        version_count=state.version_count,
        revision=state.revision,
    )


def report_message(report: str) -> compatibility_pb2.CompatibilityReport:
    """A compatibility report from the JSON text it is kept as."""
    content = json.loads(report)
    return compatibility_pb2.CompatibilityReport(
        verdict=_verdict(content["verdict"]),
        mode=_MODES.number(Mode(content["mode"])),
        policy=_POLICIES.number(Policy(content["policy"])),
        comparisons=[
            compatibility_pb2.ComparisonReport(
                version=comparison["version"] or 0,
                direction=_MODES.number(Mode(comparison["direction"])),
                verdict=_verdict(comparison["verdict"]),
                changes=[_change_message(change) for change in comparison["changes"]],
            )
            for comparison in content["comparisons"]
        ],
        engine=content["engine"],
        deleted_ignored=content.get("deleted_ignored", False),
    )


def difference_message(difference: Difference) -> difference_pb2.DiffSchemasResponse:
    """Changes and column plans."""
    impossible = any(plan.action is ColumnAction.IMPOSSIBLE for plan in difference.content.columns)
    return difference_pb2.DiffSchemasResponse(
        changes=[
            compatibility_pb2.SchemaChange(
                kind=change.kind, path=change.path, message=_brief(change.message)
            )
            for change in difference.content.changes
        ],
        columns=[
            _plan_message(plan, difference.field_ids.get(plan.path, 0))
            for plan in difference.content.columns
        ],
        physical=_VERDICTS.number(Verdict.INCOMPATIBLE if impossible else Verdict.COMPATIBLE),
        revision=difference.revision,
    )


def _plan_message(plan: ColumnPlan, field_id: int) -> difference_pb2.ColumnPlan:
    path = pointer_of(plan.names)
    old, new = _brief(plan.old_type or ""), _brief(plan.new_type or "")
    words = {
        ColumnAction.KEEP: f"{path} stays {new}",
        ColumnAction.CAST_EXACT: f"{path} is cast from {old} to {new}, always exact",
        ColumnAction.CAST_EXACT_IF: f"{path} is cast from {old} to {new}, exact {plan.note}",
        ColumnAction.ADD: f"{path} is added, filled with {_brief(plan.default) or 'null'}",
        ColumnAction.DROP: f"{path} is not read",
        ColumnAction.IMPOSSIBLE: f"{path} cannot be read: {plan.note}",
    }
    return difference_pb2.ColumnPlan(
        path=path,
        field_id=field_id,
        step=_STEPS.number(plan.action),
        before_type=old,
        after_type=new,
        condition=plan.note if plan.action is ColumnAction.CAST_EXACT_IF else "",
        default_value=plan.default,
        message=_brief(words[plan.action]),
    )


def _brief(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}…"


def _change_message(change: Mapping[str, Any]) -> compatibility_pb2.SchemaChange:
    return compatibility_pb2.SchemaChange(
        kind=change["kind"],
        path=change["path"],
        verdict=_verdict(change["verdict"]),
        reason=change["reason"],
        message=change["message"],
        proof=change.get("proof") or "",
        witness=json.dumps(change["witness"], ensure_ascii=False) if "witness" in change else "",
    )


def _verdict(value: str) -> Any:
    return _VERDICTS.number(Verdict(value))


def change_message(change: Change, *, include_previous: bool) -> change_pb2.ChangeEvent:
    """One entry of the change log."""
    event = change_pb2.ChangeEvent(
        revision=change.revision,
        sequence=change.sequence,
        kind=_KINDS.number(change.kind),
        subject=change.subject,
        rejected_text=change.rejected_text or "",
        actor=actor_message(change.actor),
        changed_at=timestamp(change.changed_at_ns),
    )
    if change.schema is not None:
        event.schema.CopyFrom(version_message(change.schema))
    if include_previous and change.previous is not None:
        event.previous.CopyFrom(version_message(change.previous))
    if change.report is not None:
        event.report.CopyFrom(report_message(change.report))
    if change.settings is not None:
        event.settings.CopyFrom(settings_message(change.settings))
    return event


def encode_change(change: Change, *, include_previous: bool) -> bytes:
    """One entry of the change log, as it is sent."""
    return change_message(change, include_previous=include_previous).SerializeToString()


def marked(event: bytes, transition: FilterTransition) -> bytes:
    """An encoded event that says how its resource crossed the filter of one watch."""
    return event + _TRANSITION_MARKS[transition]
