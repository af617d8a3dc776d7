"""What a watcher asks to see, and the harness's own idea of what matches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.chaos import wire_names
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from tests.chaos.change_log import LoggedChange


@dataclass(frozen=True, slots=True)
class Selection:
    """The filter of a watch, in words; an empty one matches everything."""

    subjects: tuple[str, ...] = ()
    prefix: str = ""
    kinds: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()

    def matches(self, change: LoggedChange) -> bool:
        """Say whether a change is to be delivered."""
        if self.kinds and change.kind not in self.kinds:
            return False
        if self.actions and change.action and change.action not in self.actions:
            return False
        return self.matches_subject(change.subject)

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
        )

    @classmethod
    def of(cls, values: dict[str, Any]) -> Selection:
        """Read it from JSON."""
        return cls(
            subjects=tuple(values["subjects"]),
            prefix=values["prefix"],
            kinds=tuple(values["kinds"]),
            actions=tuple(values["actions"]),
        )
