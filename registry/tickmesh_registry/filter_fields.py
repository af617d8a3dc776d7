"""The fields that listings and searches offer to filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .domain.compatibility import Action
from .domain.filtering import FieldKind, FilterField
from .domain.versions import Version, VersionState

if TYPE_CHECKING:
    from .store import SubjectState

SUBJECT_FIELDS: tuple[FilterField[SubjectState], ...] = (
    FilterField("name", FieldKind.STRING, lambda state: state.name),
    FilterField("latest_version", FieldKind.INTEGER, lambda state: state.latest_version),
    FilterField("version_count", FieldKind.INTEGER, lambda state: state.version_count),
    FilterField("revision", FieldKind.INTEGER, lambda state: state.revision),
)
"""What ListSubjects can be filtered by."""

VERSION_FIELDS: tuple[FilterField[Version], ...] = (
    FilterField("subject", FieldKind.STRING, lambda version: version.subject),
    FilterField("version", FieldKind.INTEGER, lambda version: version.version),
    FilterField("schema_id", FieldKind.INTEGER, lambda version: version.schema_id),
    FilterField(
        "state",
        FieldKind.CHOICE,
        lambda version: version.state.value,
        tuple(state.value for state in VersionState),
    ),
    FilterField(
        "action",
        FieldKind.CHOICE,
        lambda version: version.action.value,
        tuple(action.value for action in Action),
    ),
    FilterField("format", FieldKind.STRING, lambda version: version.format),
    FilterField("text", FieldKind.STRING, lambda version: version.text),
    FilterField("registered_at", FieldKind.INSTANT, lambda version: version.registered_at_ns),
    FilterField("effective_from", FieldKind.INSTANT, lambda version: version.effective_from_ns),
    FilterField("labels", FieldKind.MAP, lambda version: version.labels),
)
"""What ListVersions and SearchSchemas can be filtered by."""

TEXT = "text"
"""The field that needs more of a version than its outline."""
