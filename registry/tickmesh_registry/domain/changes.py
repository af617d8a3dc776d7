"""Entries of the change log."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .compatibility import Action, Settings, Verdict
    from .versions import Actor, Version, VersionState


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
        previous: For registrations and refusals the latest version before it, if there was one;
            for a change of a version's state that version as it was.
        action: What a registration did to its subject, or a refusal would have done.
        report: The compatibility report as JSON text, for registrations and refusals.
        settings: The settings in effect after a policy change.
        rejected_text: The text of a refused registration.
        actor: Who did it.
        changed_at_ns: When, by the registry's clock, never decreasing along revisions.
        verdict: The report's verdict, for registrations and refusals.
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
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Revision:
    """All changes of one revision, in order."""

    revision: int
    changes: tuple[Change, ...]


class FilterTransition(Enum):
    """How a change moved its resource across the filter of a watch."""

    NONE = "none"
    ENTERED = "entered"
    LEFT = "left"


@dataclass(frozen=True, slots=True)
class WatchFilter:
    """Narrows a watch; an empty one matches everything.

    `subjects`, `subject_prefix`, `states` and `labels` ask about the resource, and all must hold.
    Global settings concern every subject and pass every subject filter; refusals and policy
    changes have neither state nor labels and pass those. `kinds` asks about the change, `actions`
    and `verdicts` about registrations and refusals only.
    """

    subjects: frozenset[str] = frozenset()
    subject_prefix: str = ""
    kinds: frozenset[ChangeKind] = frozenset()
    actions: frozenset[Action] = frozenset()
    states: frozenset[VersionState] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    verdicts: frozenset[Verdict] = frozenset()

    def matches_subject(self, subject: str) -> bool:
        """Say whether the resource is watched."""
        if subject == "":
            return True
        if self.subjects and subject not in self.subjects:
            return False
        return subject.startswith(self.subject_prefix)

    def matches_version(self, version: Version) -> bool:
        """Say whether a version is in one of the states and carries the labels."""
        if self.states and version.state not in self.states:
            return False
        return all(version.labels.get(key) == value for key, value in self.labels.items())

    def matches(self, change: Change) -> bool:
        """Say whether the change is to be delivered."""
        return self.transition(change) is not None

    def transition(self, change: Change) -> FilterTransition | None:
        """How the change moved its resource across the filter; none if it is not delivered."""
        if self.kinds and change.kind not in self.kinds:
            return None
        if self.actions and change.action is not None and change.action not in self.actions:
            return None
        if self.verdicts and change.verdict is not None and change.verdict not in self.verdicts:
            return None
        if not self.matches_subject(change.subject):
            return None
        if change.schema is None or not (self.states or self.labels):
            return FilterTransition.NONE
        after = self.matches_version(change.schema)
        before = (
            change.kind is not ChangeKind.VERSION_REGISTERED
            and change.previous is not None
            and self.matches_version(change.previous)
        )
        if after:
            return FilterTransition.NONE if before else FilterTransition.ENTERED
        return FilterTransition.LEFT if before else None
