"""What a watcher asks to see, and the harness's own idea of what matches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.chaos import wire_names
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.chaos.change_log import LoggedChange


@dataclass(frozen=True, slots=True)
class Selection:
    """The filter of a watch, in words; an empty one matches everything."""

    subjects: tuple[str, ...] = ()
    prefix: str = ""
    kinds: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()

    def matches(self, change: LoggedChange) -> bool:
        """Say whether a change is to be delivered."""
        if self.kinds and change.kind not in self.kinds:
            return False
        if self.actions and change.action and change.action not in self.actions:
            return False
        if not self.matches_subject(change.subject):
            return False
        return self.transition(change) is not None

    def transition(self, change: LoggedChange) -> str | None:
        """What the move of its version across the filter is called; None if it stays outside."""
        if not change.version or not (self.states or self.labels):
            return ""
        after = self.matches_version(change.state, change.labels)
        before = change.kind != "version_registered" and self.matches_version(
            change.previous_state, change.labels
        )
        if after:
            return "" if before else "entered"
        return "left" if before else None

    def matches_version(self, state: str, labels: Mapping[str, str]) -> bool:
        """Say whether a version in that state with these labels is within the filter."""
        in_state = not self.states or state in self.states
        return in_state and all(labels.get(key) == value for key, value in self.labels)

    def matches_subject(self, subject: str) -> bool:
        """Say whether a subject is watched; global settings concern every subject."""
        if not subject:
            return True
        return (not self.subjects or subject in self.subjects) and subject.startswith(self.prefix)

    def message(self) -> pb.WatchFilter:
        """The filter as the wire has it."""
        return pb.WatchFilter(
            subjects=self.subjects,
            subject_prefix=self.prefix,
            kinds=[wire_names.CHANGE_KINDS.number(kind) for kind in self.kinds],
            actions=[wire_names.ACTIONS.number(action) for action in self.actions],
            states=[wire_names.STATES.number(state) for state in self.states],
            labels=dict(self.labels),
        )

    @classmethod
    def of(cls, values: dict[str, Any]) -> Selection:
        """Read it from JSON."""
        return cls(
            subjects=tuple(values["subjects"]),
            prefix=values["prefix"],
            kinds=tuple(values["kinds"]),
            actions=tuple(values["actions"]),
            states=tuple(values["states"]),
            labels=tuple((key, value) for key, value in values["labels"]),
        )
