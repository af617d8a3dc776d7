"""Entries of the change log."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .compatibility import Action, Settings
    from .versions import Actor, Version


class ChangeKind(StrEnum):
    """What happened to a resource."""

    VERSION_REGISTERED = "version_registered"
    REGISTRATION_REJECTED = "registration_rejected"
    VERSION_DEPRECATED = "version_deprecated"
    VERSION_DELETED = "version_deleted"
    VERSION_RESTORED = "version_restored"
    POLICY_CHANGED = "policy_changed"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry of the change log, complete: a watcher needs no further read.

    Attributes:
        revision: The revision that holds it.
        sequence: Its position within the revision, from 0.
        kind: What happened.
        subject: The subject concerned; empty for global settings.
        schema: The version after the change; none for policy changes and refusals.
        previous: The latest version before it, if there was one.
        action: What a registration did to its subject, or a refusal would have done.
        report: The compatibility report as JSON text, for registrations and refusals.
        settings: The settings in effect after a policy change.
        rejected_text: The text of a refused registration.
        actor: Who did it.
        changed_at_ns: When, by the registry's clock, never decreasing along revisions.
    """

    revision: int
    sequence: int
    kind: ChangeKind
    subject: str
    schema: Version | None
    previous: Version | None
    action: Action | None
    report: str | None
    settings: Settings | None
    rejected_text: str | None
    actor: Actor
    changed_at_ns: int


@dataclass(frozen=True, slots=True)
class Revision:
    """All changes of one revision, in order."""

    revision: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class WatchFilter:
    """Narrows a watch; an empty one matches everything.

    `subjects` and `subject_prefix` ask about the resource (both must hold when both are given),
    `kinds` about the change, and `actions` about registrations and refusals only. Global settings
    concern every subject and pass every subject filter.
    """

    subjects: frozenset[str] = frozenset()
    subject_prefix: str = ""
    kinds: frozenset[ChangeKind] = frozenset()
    actions: frozenset[Action] = frozenset()

    def matches_subject(self, subject: str) -> bool:
        """Say whether the resource is watched."""
        if subject == "":
            return True
        if self.subjects and subject not in self.subjects:
            return False
        return subject.startswith(self.subject_prefix)

    def matches(self, change: Change) -> bool:
        """Say whether the change is to be delivered."""
        if self.kinds and change.kind not in self.kinds:
            return False
        if self.actions and change.action is not None and change.action not in self.actions:
            return False
        return self.matches_subject(change.subject)
