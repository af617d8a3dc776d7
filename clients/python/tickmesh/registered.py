"""What the registry answers, as values: versions, changes, settings.

All instants are integer nanoseconds since the Unix epoch, UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING

from tickmesh.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from tickmesh.proposals import DataReport
    from tickmesh.schema import (
        Action,
        CompatibilityReport,
        Mode,
        Policy,
        SchemaDocument,
    )

_NO_REFERENCES: Mapping[str, RegisteredSchema] = MappingProxyType({})


class VersionState(StrEnum):
    """The life-cycle state of a version."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    DELETED = "deleted"
    REMOVED = "removed"

    @property
    def is_live(self) -> bool:
        """Whether such a version can be latest and in force."""
        return self in (VersionState.ACTIVE, VersionState.DEPRECATED)


class FilterTransition(StrEnum):
    """How a change moved its version across the states and labels of a watch."""

    NONE = "none"
    ENTERED = "entered"
    LEFT = "left"


class ChangeKind(StrEnum):
    """What an entry of the change log did."""

    VERSION_REGISTERED = "version_registered"
    REGISTRATION_REJECTED = "registration_rejected"
    VERSION_DEPRECATED = "version_deprecated"
    VERSION_DELETED = "version_deleted"
    VERSION_RESTORED = "version_restored"
    POLICY_CHANGED = "policy_changed"


class UndecidedPolicy(StrEnum):
    """What an undecided comparison does to a registration."""

    REFUSE = "refuse"
    WARN = "warn"


class UpdateAction(StrEnum):
    """What a change means to somebody who follows one subject."""

    FIRST = "first"
    COMPATIBLE_CHANGE = "compatible_change"
    BREAKING_CHANGE = "breaking_change"
    REJECTED = "rejected"
    DEPRECATED = "deprecated"
    DELETED = "deleted"
    RESTORED = "restored"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made a change, how that identity was established, and by which request."""

    principal: str
    authentication: str
    on_behalf_of: str
    request_id: str


@dataclass(frozen=True)
class RegisteredSchema:
    """One version of a subject. Everything but state and note is immutable in the registry.

    One that was removed for good is a tombstone: its text and its Arrow projection are gone.
    `in force` at an instant is the version with the greatest (`effective_from_ns`, `version`)
    not after it.
    """

    subject: str
    version: int
    schema_id: int
    fingerprint: str
    text: str
    state: VersionState
    action: Action
    registered_at_ns: int
    effective_from_ns: int
    revision: int
    labels: Mapping[str, str]
    actor: Actor
    arrow_schema_ipc: bytes = field(repr=False)
    referenced: Mapping[str, RegisteredSchema] = field(
        default_factory=lambda: _NO_REFERENCES, repr=False
    )
    deprecation_note: str = ""
    data_report: DataReport | None = None

    @cached_property
    def arrow_schema(self) -> pa.Schema:
        """The Arrow projection the registry made, with field ids and roles in its metadata.

        Raises:
            NotFoundError: the version was removed for good.
        """
        import pyarrow as pa

        self._require_text()
        return pa.ipc.read_schema(pa.py_buffer(self.arrow_schema_ipc))

    @cached_property
    def document(self) -> SchemaDocument:
        """The parsed schema, references resolved to the versions pinned at registration.

        Raises:
            NotFoundError: the version was removed for good.
        """
        from tickmesh.schema import parse_schema

        self._require_text()
        references = {name: schema.document for name, schema in self.referenced.items()}
        return parse_schema(self.text, references=references)

    def _require_text(self) -> None:
        if self.state is VersionState.REMOVED:
            message = (
                f"version {self.version} of {self.subject!r} was removed for good: its text is "
                "gone; use another version"
            )
            raise NotFoundError(message, reason="VERSION_REMOVED")


@dataclass(frozen=True, slots=True)
class Registration:
    """The outcome of a registration.

    `already_registered` says that the text was the latest version's and nothing was written.
    """

    schema: RegisteredSchema
    report: CompatibilityReport
    revision: int
    already_registered: bool


@dataclass(frozen=True, slots=True)
class SubjectSummary:
    """A subject and where it stands; `latest_version` is 0 when every version is deleted."""

    name: str
    latest_version: int
    version_count: int
    revision: int


@dataclass(frozen=True, slots=True)
class CompatibilitySettings:
    """How candidates of a subject are judged, inherited values filled in."""

    mode: Mode
    policy: Policy
    undecided: UndecidedPolicy


@dataclass(frozen=True, slots=True)
class ChangeEvent:
    """One entry of the registry's change log.

    `schema` is the version after the change, `previous` the one before it; a refusal carries
    `rejected_text` and `report` instead of a version. `transition` says how the version crossed
    the states and labels the watch asked for.
    """

    revision: int
    sequence: int
    kind: ChangeKind
    subject: str
    schema: RegisteredSchema | None
    previous: RegisteredSchema | None
    report: CompatibilityReport | None
    settings: CompatibilitySettings | None
    rejected_text: str
    actor: Actor
    changed_at_ns: int
    transition: FilterTransition = FilterTransition.NONE


@dataclass(frozen=True, slots=True)
class SchemaUpdate:
    """A change of one subject, as its followers want it: what it means, from what, to what."""

    action: UpdateAction
    subject: str
    old: RegisteredSchema | None
    new: RegisteredSchema | None
    report: CompatibilityReport | None
    revision: int
    changed_at_ns: int
    rejected_text: str = ""


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """How the local cache is doing.

    `stale_since_ns` is the instant since which the watch is down, None while it is up.
    """

    hits: int
    misses: int
    subjects: int
    revision: int
    stale_since_ns: int | None


@dataclass(frozen=True, slots=True)
class CacheTier:
    """One tier of a registry's caches, counted since that process started.

    `entries` and `bytes` are -1 where the tier does not tell, `max_bytes` is 0 where there is no
    bound; `errors` are failed calls to the tier, which cost its help and no answer.
    """

    name: str
    hits: int
    misses: int
    evictions: int
    entries: int
    bytes: int
    max_bytes: int
    errors: int


class Knowledge(StrEnum):
    """As of when the registrations of a timeline count."""

    NOW = "now"
    AT_INSTANT = "at_instant"
    AT_EACH_INSTANT = "at_each_instant"
    """At each instant, what was registered by it: a backtest that knows no future."""


@dataclass(frozen=True, slots=True)
class TimelineSpan:
    """A span of time in which one version is in force; `end_ns` is None where it has no end."""

    schema: RegisteredSchema
    start_ns: int
    end_ns: int | None


@dataclass(frozen=True, slots=True)
class FieldCondition:
    """Asks a search for a field; what is empty asks nothing.

    Attributes:
        name: its name, `*` standing for any run of characters.
        path: its path of names, for example `/quote/bid`.
        type: a JSON type it admits.
        role: its tick role.
    """

    name: str = ""
    path: str = ""
    type: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class MatchedField:
    """A field that met a condition of a search."""

    path: str
    field_id: int
    types: tuple[str, ...]
    arrow_type: str
    required: bool
    role: str


@dataclass(frozen=True, slots=True)
class SchemaHit:
    """A version that a search found, and its fields that met the conditions."""

    schema: RegisteredSchema
    fields: tuple[MatchedField, ...]


class ColumnStep(StrEnum):
    """What becomes of a column when rows of one schema are read under another."""

    KEEP = "keep"
    CAST_EXACT = "cast_exact"
    CAST_EXACT_IF = "cast_exact_if"
    ADD = "add"
    DROP = "drop"
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class StructuralChange:
    """One change between two schemas; `path` is a JSON Pointer into the schema text."""

    kind: str
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """The plan for one column.

    Types are in Arrow's own notation, empty where there is none; `condition` says when a
    CAST_EXACT_IF is exact; `default` fills an added column, as JSON text, empty for null.
    """

    path: str
    field_id: int
    step: ColumnStep
    before_type: str
    after_type: str
    condition: str
    default: str
    message: str


@dataclass(frozen=True, slots=True)
class SchemaComparison:
    """What the registry says of the way from one schema to another.

    `is_readable` says that no column is IMPOSSIBLE.
    """

    changes: tuple[StructuralChange, ...]
    columns: tuple[PlannedColumn, ...]
    is_readable: bool
    revision: int


def update_from_event(event: ChangeEvent) -> SchemaUpdate | None:
    """Read a change as an update of its subject; None for changes of settings."""
    actions = {
        ChangeKind.REGISTRATION_REJECTED: UpdateAction.REJECTED,
        ChangeKind.VERSION_DEPRECATED: UpdateAction.DEPRECATED,
        ChangeKind.VERSION_DELETED: UpdateAction.DELETED,
        ChangeKind.VERSION_RESTORED: UpdateAction.RESTORED,
    }
    if event.kind is ChangeKind.POLICY_CHANGED:
        return None
    if event.kind is ChangeKind.VERSION_REGISTERED:
        if event.schema is None:
            return None
        action = UpdateAction(event.schema.action.value)
    else:
        action = actions[event.kind]
    return SchemaUpdate(
        action=action,
        subject=event.subject,
        old=event.previous,
        new=event.schema,
        report=event.report,
        revision=event.revision,
        changed_at_ns=event.changed_at_ns,
        rejected_text=event.rejected_text,
    )
