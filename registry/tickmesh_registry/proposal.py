"""What registrations and policy changes are asked with, and what they answer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .domain.compatibility import Settings, SettingsOverride
    from .domain.evidence import DataReport
    from .domain.versions import Reference, Version


@dataclass(frozen=True, slots=True)
class Proposal:
    """A schema somebody wants to register.

    Attributes:
        subject: The subject; made by its first registration.
        format: The schema language.
        text: The schema.
        references: Versions of other subjects the text refers to.
        labels: Free labels.
        effective_from_ns: From when on it is in force; none for the time of registration.
        expected_version: What the latest version must be (0: none), if anything.
        request_id: Makes a retry safe; empty for none. In a change set the set's own counts.
        dry_run: Judge and answer, but write nothing. In a change set the set's own counts.
        allow_breaking: Register in spite of the verdict.
        ignore_deleted: Leave soft-deleted versions out of the comparison.
        data_report: What the proposer found in data.
    """

    subject: str
    text: str
    format: str = "json-schema"
    references: tuple[Reference, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    effective_from_ns: int | None = None
    expected_version: int | None = None
    request_id: str = ""
    dry_run: bool = False
    allow_breaking: bool = False
    ignore_deleted: bool = False
    data_report: DataReport | None = None

    def content(self) -> list[object]:
        """What makes it the proposal it is, as JSON values."""
        return [
            self.subject,
            self.format,
            self.text,
            [[r.name, r.subject, r.version] for r in self.references],
            sorted(self.labels.items()),
            self.effective_from_ns,
            self.expected_version,
            self.allow_breaking,
            self.ignore_deleted,
            None if self.data_report is None else asdict(self.data_report),
        ]


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """Settings somebody wants to set.

    Attributes:
        subject: The subject; empty for the registry as a whole.
        settings: What it sets itself from then on.
    """

    subject: str
    settings: SettingsOverride

    def content(self) -> list[object]:
        """What makes it the change it is, as JSON values."""
        wanted = self.settings
        return [self.subject, wanted.mode, wanted.policy, wanted.undecided]


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Registrations and policy changes that become one revision, all or nothing.

    Attributes:
        items: In order; later ones see what earlier ones did.
        request_id: Makes a retry safe; empty for none.
        dry_run: Judge and answer, but write nothing.
    """

    items: tuple[Proposal | PolicyChange, ...]
    request_id: str = ""
    dry_run: bool = False

    def digest(self) -> str:
        """Fingerprint of the content, to tell a retry from another request."""
        content = [each.content() for each in self.items]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Registration:
    """What a registration answers.

    Attributes:
        version: The version registered, or found to be the same.
        report: The compatibility report as JSON text.
        revision: The revision after the call.
        already_registered: Whether the text was registered before.
    """

    version: Version
    report: str
    revision: int
    already_registered: bool = False


@dataclass(frozen=True, slots=True)
class ChangeSetApplied:
    """What a change set answers.

    Attributes:
        results: One for each item, in order: a registration, or the settings in effect.
        revision: The one revision of all changes, or the head when nothing changed.
    """

    results: tuple[Registration | Settings, ...]
    revision: int
