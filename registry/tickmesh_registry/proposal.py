"""What a registration is asked with, and what it answers."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        request_id: Makes a retry safe; empty for none.
        dry_run: Judge and answer, but write nothing.
        allow_breaking: Register in spite of the verdict.
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

    def digest(self) -> str:
        """Fingerprint of the content, to tell a retry from another request."""
        content = [
            self.subject,
            self.format,
            self.text,
            [[r.name, r.subject, r.version] for r in self.references],
            sorted(self.labels.items()),
            self.effective_from_ns,
            self.expected_version,
            self.allow_breaking,
        ]
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
