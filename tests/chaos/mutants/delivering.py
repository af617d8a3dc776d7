"""Bugs in what is sent, and in which order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.chaos.mutants.mutant import Mutant
from tickmesh_registry.feed import Delivery, DeliveryKind, Feed
from tickmesh_registry.ring import EncodedRevision

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tickmesh_registry.ring import EncodedRevision as Entry


def progress_ahead_of_events() -> None:
    """A mark says how far the server is, not how far the stream is."""
    delivery = Feed._delivery

    def ahead(
        self: Feed,
        kind: DeliveryKind,
        *,
        revision: int | None = None,
        events: Sequence[bytes] = (),
        fragment: bool = False,
    ) -> Delivery:
        if kind is DeliveryKind.PROGRESS:
            revision = max(self._cursor, self._hub.revision)
        return delivery(self, kind, revision=revision, events=events, fragment=fragment)

    Feed._delivery = ahead  # type: ignore[method-assign]


def lost_between_log_and_ring() -> None:
    """Coming from the log, the first revision of the ring is taken for seen."""
    next_revisions = Feed._next_revisions
    from_log: set[int] = set()

    async def lossy(self: Feed) -> Sequence[Entry]:
        within = self._cursor >= self._hub.ring.floor
        revisions = await next_revisions(self)
        if not within:
            from_log.add(id(self))
        elif revisions and id(self) in from_log:
            from_log.discard(id(self))
            self._cursor = revisions[0].revision
            return revisions[1:]
        return revisions

    Feed._next_revisions = lossy  # type: ignore[method-assign]


def split_revision() -> None:
    """Every event has a response of its own, and none says that more will come."""

    def split(self: Feed, revision: EncodedRevision) -> Iterator[Delivery]:
        for change in revision.changes:
            if self._transition(change.change) is not None:
                encoded = change.encoded(include_previous=self._order.include_previous)
                yield self._delivery(
                    DeliveryKind.EVENTS, revision=revision.revision, events=[encoded]
                )

    Feed._events = split  # type: ignore[method-assign]


def reordered_revision() -> None:
    """The events of a revision come last first."""
    init = EncodedRevision.__init__

    def backwards(self: EncodedRevision, revision: object, encode: object) -> None:
        init(self, revision, encode)  # type: ignore[arg-type]
        self.changes = self.changes[::-1]

    EncodedRevision.__init__ = backwards  # type: ignore[method-assign]


def broken_chain() -> None:
    """Marks are left out of the chain of revisions."""
    delivery = Feed._delivery

    def forgetful(
        self: Feed,
        kind: DeliveryKind,
        *,
        revision: int | None = None,
        events: Sequence[bytes] = (),
        fragment: bool = False,
    ) -> Delivery:
        previous = self._previous
        made = delivery(self, kind, revision=revision, events=events, fragment=fragment)
        if kind is DeliveryKind.PROGRESS:
            self._previous = previous
        return made

    Feed._delivery = forgetful  # type: ignore[method-assign]


def token_ahead_of_events() -> None:
    """The token of an event resumes after the head."""
    delivery = Feed._delivery

    def ahead(
        self: Feed,
        kind: DeliveryKind,
        *,
        revision: int | None = None,
        events: Sequence[bytes] = (),
        fragment: bool = False,
    ) -> Delivery:
        made = delivery(self, kind, revision=revision, events=events, fragment=fragment)
        if kind is not DeliveryKind.EVENTS or fragment:
            return made
        later = delivery(self, kind, revision=self._hub.revision)
        self._previous = made.revision
        return replace(made, token=later.token)

    Feed._delivery = ahead  # type: ignore[method-assign]


MUTANTS = (
    Mutant(
        "progress_ahead_of_events",
        progress_ahead_of_events,
        "catch_up",
        "W6",
        frozenset({"W1", "W2"}),
    ),
    Mutant(
        "lost_between_log_and_ring",
        lost_between_log_and_ring,
        "catch_up",
        "W3",
        frozenset({"W6"}),
    ),
    Mutant("split_revision", split_revision, "bulk", "W4", frozenset({"W3", "W6"})),
    Mutant("reordered_revision", reordered_revision, "bulk", "W1"),
    Mutant("broken_chain", broken_chain, "catch_up", "W1"),
    Mutant("token_ahead_of_events", token_ahead_of_events, "catch_up", "W6"),
)
