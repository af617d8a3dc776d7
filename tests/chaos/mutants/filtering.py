"""Bugs in what a filter lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.mutants.mutant import Mutant
from tickmesh.api.registry.v1 import change_pb2
from tickmesh_registry import wire
from tickmesh_registry.domain.changes import ChangeKind, WatchFilter

if TYPE_CHECKING:
    from tickmesh_registry.domain.changes import Change


def dropped_kind() -> None:
    """A filter by subject forgets that refusals concern the subject too."""
    matches = WatchFilter.matches

    def narrow(self: WatchFilter, change: Change) -> bool:
        return matches(self, change) and not (
            change.kind is ChangeKind.REGISTRATION_REJECTED and bool(self.subject_prefix)
        )

    WatchFilter.matches = narrow  # type: ignore[method-assign]


def prefix_as_substring() -> None:
    """A prefix is looked for anywhere in the name."""

    def loose(self: WatchFilter, subject: str) -> bool:
        return (not self.subjects or subject in self.subjects) and self.subject_prefix in subject

    WatchFilter.matches_subject = loose  # type: ignore[method-assign]


def transition_everywhere() -> None:
    """Every first version is said to enter the filter."""
    encode = wire.encode_change

    def entering(change: Change, *, include_previous: bool) -> bytes:
        encoded = encode(change, include_previous=include_previous)
        if change.previous is not None:
            return encoded
        event = change_pb2.ChangeEvent.FromString(encoded)
        event.transition = change_pb2.FILTER_TRANSITION_ENTERED
        return event.SerializeToString()

    from tickmesh_registry import app

    app.encode_change = entering  # type: ignore[attr-defined] # where it is used


MUTANTS = (
    Mutant("dropped_kind", dropped_kind, "selections", "W3", frozenset({"W6"})),
    Mutant("prefix_as_substring", prefix_as_substring, "selections", "W3", frozenset({"W6"})),
    Mutant("transition_everywhere", transition_everywhere, "selections", "W12"),
)
