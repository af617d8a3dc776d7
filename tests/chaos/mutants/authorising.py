"""Bugs in who is told what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.mutants.mutant import Mutant
from tickmesh_registry.feed import Feed

if TYPE_CHECKING:
    from tickmesh_registry.domain.changes import Change, FilterTransition


def permission_remembered() -> None:
    """Whoever might see a subject once may see it for as long as the stream lasts."""
    answers: dict[tuple[int, str], bool] = {}

    def remembering(self: Feed, change: Change) -> FilterTransition | None:
        key = (id(self), change.subject)
        if key not in answers:
            answers[key] = self._hub.may_see(self._principal, change)
        return self._order.filter.transition(change) if answers[key] else None

    Feed._transition = remembering  # type: ignore[method-assign]


MUTANTS = (
    Mutant(
        "permission_remembered", permission_remembered, "hiding", "W15", frozenset({"W3", "W6"})
    ),
)
