"""Bugs in what a filter lets through."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.mutants.mutant import Mutant
from tickmesh_registry.domain.changes import ChangeKind, FilterTransition, WatchFilter

if TYPE_CHECKING:
    from tickmesh_registry.domain.changes import Change


def dropped_kind() -> None:
    """A filter by subject forgets that refusals concern the subject too."""
    transition = WatchFilter.transition

    def narrow(self: WatchFilter, change: Change) -> FilterTransition | None:
        if change.kind is ChangeKind.REGISTRATION_REJECTED and self.subject_prefix:
            return None
        return transition(self, change)

    WatchFilter.transition = narrow  # type: ignore[method-assign]


def prefix_as_substring() -> None:
    """A prefix is looked for anywhere in the name."""

    def loose(self: WatchFilter, subject: str) -> bool:
        return (not self.subjects or subject in self.subjects) and self.subject_prefix in subject

    WatchFilter.matches_subject = loose  # type: ignore[method-assign]


def unmarked_entry() -> None:
    """What comes into a filter looks like what was in it before."""
    transition = WatchFilter.transition

    def unmarked(self: WatchFilter, change: Change) -> FilterTransition | None:
        found = transition(self, change)
        return FilterTransition.NONE if found is FilterTransition.ENTERED else found

    WatchFilter.transition = unmarked  # type: ignore[method-assign]


def untold_departure() -> None:
    """What leaves a filter is not delivered: it does not match any more."""
    transition = WatchFilter.transition

    def silent(self: WatchFilter, change: Change) -> FilterTransition | None:
        found = transition(self, change)
        return None if found is FilterTransition.LEFT else found

    WatchFilter.transition = silent  # type: ignore[method-assign]


MUTANTS = (
    Mutant("dropped_kind", dropped_kind, "selections", "W3", frozenset({"W6"})),
    Mutant("prefix_as_substring", prefix_as_substring, "selections", "W3", frozenset({"W6", "W7"})),
    Mutant("unmarked_entry", unmarked_entry, "selections", "W12"),
    Mutant("untold_departure", untold_departure, "selections", "W3", frozenset({"W6"})),
)
