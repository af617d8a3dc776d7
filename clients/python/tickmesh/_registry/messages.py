"""Protobuf messages of the registry to values and back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from tickmesh.api.registry.v1 import (
    change_pb2,
    compatibility_pb2,
    schema_pb2,
    schema_registry_service_pb2,
)
from tickmesh.errors import InvalidArgumentError
from tickmesh.proposals import DataReport, FailingRows
from tickmesh.registered import (
    Actor,
    ChangeEvent,
    ChangeKind,
    CompatibilitySettings,
    FilterTransition,
    RegisteredSchema,
    Registration,
    SubjectSummary,
    UndecidedPolicy,
    VersionState,
)
from tickmesh.schema import Action, Change, Comparison, CompatibilityReport, Mode, Policy, Verdict
from tickmesh.schema.compatibility import NO_WITNESS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_TRANSITIONS = {
    change_pb2.FILTER_TRANSITION_ENTERED: FilterTransition.ENTERED,
    change_pb2.FILTER_TRANSITION_LEFT: FilterTransition.LEFT,
}
_NANOSECONDS = 1_000_000_000


class VersionAnswer(Protocol):
    """A response that carries one version, and the revision it is true at."""

    @property
    def schema(self) -> schema_pb2.SchemaVersion:
        """The version."""

    @property
    def revision(self) -> int:
        """The revision."""


def timestamp_ns(timestamp: Timestamp) -> int:
    """Nanoseconds since the epoch of a protobuf timestamp."""
    return timestamp.seconds * _NANOSECONDS + timestamp.nanos


def timestamp_of(instant_ns: int) -> Timestamp:
    """The protobuf timestamp of nanoseconds since the epoch."""
    seconds, nanos = divmod(instant_ns, _NANOSECONDS)
    return Timestamp(seconds=seconds, nanos=nanos)


def _name(prefix: str, name: str) -> str:
    return name.removeprefix(prefix)


def mode_from_wire(mode: compatibility_pb2.CompatibilityMode.ValueType) -> Mode:
    """The mode a message names."""
    name = compatibility_pb2.CompatibilityMode.Name(mode)
    return Mode(_name("COMPATIBILITY_MODE_", name))


def mode_to_wire(mode: Mode | None) -> compatibility_pb2.CompatibilityMode.ValueType:
    """The enum value of a mode; UNSPECIFIED for None."""
    suffix = "UNSPECIFIED" if mode is None else mode.value
    return compatibility_pb2.CompatibilityMode.Value(f"COMPATIBILITY_MODE_{suffix}")


def policy_from_wire(policy: compatibility_pb2.CompatibilityPolicy.ValueType) -> Policy:
    """The policy a message names."""
    name = compatibility_pb2.CompatibilityPolicy.Name(policy)
    return Policy(_name("COMPATIBILITY_POLICY_", name).lower().replace("_", "-"))


def policy_to_wire(policy: Policy | None) -> compatibility_pb2.CompatibilityPolicy.ValueType:
    """The enum value of a policy; UNSPECIFIED for None."""
    suffix = "UNSPECIFIED" if policy is None else policy.value.upper().replace("-", "_")
    return compatibility_pb2.CompatibilityPolicy.Value(f"COMPATIBILITY_POLICY_{suffix}")


def undecided_to_wire(
    undecided: UndecidedPolicy | None,
) -> compatibility_pb2.UndecidedPolicy.ValueType:
    """The enum value of an undecided policy; UNSPECIFIED for None."""
    suffix = "UNSPECIFIED" if undecided is None else undecided.value.upper()
    return compatibility_pb2.UndecidedPolicy.Value(f"UNDECIDED_POLICY_{suffix}")


def kind_to_wire(kind: ChangeKind) -> change_pb2.ChangeKind.ValueType:
    """The enum value of a kind of change."""
    return change_pb2.ChangeKind.Value(f"CHANGE_KIND_{kind.value.upper()}")


def _verdict(verdict: compatibility_pb2.Verdict.ValueType) -> Verdict:
    return Verdict(_name("VERDICT_", compatibility_pb2.Verdict.Name(verdict)).lower())


def state_to_wire(state: VersionState) -> schema_pb2.VersionState.ValueType:
    """The enum value of a state."""
    return schema_pb2.VersionState.Value(f"VERSION_STATE_{state.value.upper()}")


def verdict_to_wire(verdict: Verdict) -> compatibility_pb2.Verdict.ValueType:
    """The enum value of a verdict."""
    return compatibility_pb2.Verdict.Value(f"VERDICT_{verdict.value.upper()}")


def data_report_to_wire(report: DataReport | None) -> schema_pb2.DataReport | None:
    """The message of a data report; None for None."""
    if report is None:
        return None
    return schema_pb2.DataReport(
        source=report.source,
        made_at=None if report.made_at_ns is None else timestamp_of(report.made_at_ns),
        rows_checked=report.rows_checked,
        rows_rejected=report.rows_rejected,
        rows_released=report.rows_released,
        reasons=[
            schema_pb2.DataReportReason(reason=each.reason, path=each.path, rows=each.rows)
            for each in report.reasons
        ],
        fingerprint=report.fingerprint,
    )


def data_report_from_text(text: str) -> DataReport:
    """The report that a text in proto3 JSON holds."""
    try:
        message = json_format.Parse(text, schema_pb2.DataReport())
    except json_format.ParseError as error:
        raise InvalidArgumentError(
            f"expected the data report of a backtest, as JSON; {error}"
        ) from None
    return _data_report(message)


def _data_report(message: schema_pb2.DataReport) -> DataReport:
    return DataReport(
        source=message.source,
        made_at_ns=timestamp_ns(message.made_at) if message.HasField("made_at") else None,
        rows_checked=message.rows_checked,
        rows_rejected=message.rows_rejected,
        rows_released=message.rows_released,
        reasons=tuple(FailingRows(each.reason, each.path, each.rows) for each in message.reasons),
        fingerprint=message.fingerprint,
    )


def actor_from_wire(message: schema_pb2.Actor) -> Actor:
    """Who made a change."""
    return Actor(
        principal=message.principal,
        authentication=message.authentication,
        on_behalf_of=message.on_behalf_of,
        request_id=message.request_id,
    )


def schema_from_wire(
    message: schema_pb2.SchemaVersion, *, referenced: Mapping[str, RegisteredSchema]
) -> RegisteredSchema:
    """One version, with the versions it refers to by the names it uses for them."""
    state = _name("VERSION_STATE_", schema_pb2.VersionState.Name(message.state)).lower()
    action = _name("ACTION_", schema_pb2.Action.Name(message.action)).lower()
    return RegisteredSchema(
        subject=message.subject,
        version=message.version,
        schema_id=message.schema_id,
        fingerprint=message.fingerprint,
        text=message.text,
        state=VersionState(state),
        action=Action(action),
        registered_at_ns=timestamp_ns(message.registered_at),
        effective_from_ns=timestamp_ns(message.effective_from),
        revision=message.revision,
        labels=dict(message.labels),
        actor=actor_from_wire(message.actor),
        arrow_schema_ipc=message.arrow_schema,
        referenced=referenced,
        deprecation_note=message.deprecation_note,
        data_report=_data_report(message.data_report) if message.HasField("data_report") else None,
    )


def schema_to_wire(schema: RegisteredSchema) -> schema_pb2.SchemaVersion:
    """A version as `schema_from_wire` takes it; its canonical text is left out."""
    return schema_pb2.SchemaVersion(
        subject=schema.subject,
        version=schema.version,
        schema_id=schema.schema_id,
        fingerprint=schema.fingerprint,
        text=schema.text,
        arrow_schema=schema.arrow_schema_ipc,
        references=[
            schema_pb2.SchemaReference(name=name, subject=to.subject, version=to.version)
            for name, to in schema.referenced.items()
        ],
        labels=schema.labels,
        state=schema_pb2.VersionState.Value(f"VERSION_STATE_{schema.state.upper()}"),
        action=schema_pb2.Action.Value(f"ACTION_{schema.action.upper()}"),
        registered_at=timestamp_of(schema.registered_at_ns),
        effective_from=timestamp_of(schema.effective_from_ns),
        revision=schema.revision,
        actor=schema_pb2.Actor(
            principal=schema.actor.principal,
            authentication=schema.actor.authentication,
            on_behalf_of=schema.actor.on_behalf_of,
            request_id=schema.actor.request_id,
        ),
        deprecation_note=schema.deprecation_note,
        data_report=data_report_to_wire(schema.data_report),
    )


def report_from_wire(message: compatibility_pb2.CompatibilityReport) -> CompatibilityReport:
    """The whole judgement of a candidate."""
    return CompatibilityReport(
        verdict=_verdict(message.verdict),
        mode=mode_from_wire(message.mode),
        policy=policy_from_wire(message.policy),
        comparisons=tuple(_comparison(comparison) for comparison in message.comparisons),
        engine=message.engine,
        deleted_ignored=message.deleted_ignored,
    )


def _comparison(message: compatibility_pb2.ComparisonReport) -> Comparison:
    return Comparison(
        version=message.version or None,
        direction=mode_from_wire(message.direction),
        verdict=_verdict(message.verdict),
        changes=tuple(_change(change) for change in message.changes),
    )


def _change(message: compatibility_pb2.SchemaChange) -> Change:
    witness: Any = json.loads(message.witness) if message.witness else NO_WITNESS
    return Change(
        kind=message.kind,
        path=message.path,
        verdict=_verdict(message.verdict),
        reason=message.reason,
        message=message.message,
        proof=message.proof or None,
        witness=witness,
    )


def settings_from_wire(message: compatibility_pb2.CompatibilitySettings) -> CompatibilitySettings:
    """The settings in effect."""
    undecided = compatibility_pb2.UndecidedPolicy.Name(message.undecided)
    return CompatibilitySettings(
        mode=mode_from_wire(message.mode),
        policy=policy_from_wire(message.policy),
        undecided=UndecidedPolicy(_name("UNDECIDED_POLICY_", undecided).lower()),
    )


def registration_from_wire(
    message: schema_registry_service_pb2.RegisterSchemaResponse,
    *,
    schema: RegisteredSchema,
) -> Registration:
    """The outcome of a registration."""
    return Registration(
        schema=schema,
        report=report_from_wire(message.report),
        revision=message.revision,
        already_registered=message.already_registered,
    )


def subject_from_wire(message: schema_pb2.Subject) -> SubjectSummary:
    """A subject and where it stands."""
    return SubjectSummary(
        name=message.name,
        latest_version=message.latest_version,
        version_count=message.version_count,
        revision=message.revision,
    )


def event_from_wire(
    message: change_pb2.ChangeEvent,
    *,
    complete: Callable[[schema_pb2.SchemaVersion], RegisteredSchema],
) -> ChangeEvent:
    """One entry of the change log; `complete` supplies the versions a schema refers to."""
    kind = _name("CHANGE_KIND_", change_pb2.ChangeKind.Name(message.kind)).lower()
    return ChangeEvent(
        revision=message.revision,
        sequence=message.sequence,
        kind=ChangeKind(kind),
        subject=message.subject,
        schema=complete(message.schema) if message.HasField("schema") else None,
        previous=complete(message.previous) if message.HasField("previous") else None,
        report=report_from_wire(message.report) if message.HasField("report") else None,
        settings=settings_from_wire(message.settings) if message.HasField("settings") else None,
        rejected_text=message.rejected_text,
        actor=actor_from_wire(message.actor),
        changed_at_ns=timestamp_ns(message.changed_at),
        transition=_TRANSITIONS.get(message.transition, FilterTransition.NONE),
    )
