"""Bugs in where a watch begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.mutants.mutant import Mutant
from tickmesh_registry import feed
from tickmesh_registry.domain.errors import (
    EpochChangedError,
    RevisionCompactedError,
    RevisionInFutureError,
)
from tickmesh_registry.domain.tokens import WatchToken
from tickmesh_registry.feed import Feed, Start

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tickmesh_registry.feed import Delivery
    from tickmesh_registry.ring import EncodedRevision


def inclusive_resume() -> None:
    """A resume after R begins with R."""
    position = Feed._position

    async def inclusive(self: Feed, start: Start | int | WatchToken) -> int:
        found = await position(self, start)
        return found if isinstance(start, Start) else max(found - 1, self._hub.compact_revision)

    Feed._position = inclusive  # type: ignore[method-assign]


def future_start_accepted() -> None:
    """A start beyond the head waits for it to come."""
    position = Feed._position

    async def patient(self: Feed, start: Start | int | WatchToken) -> int:
        try:
            return await position(self, start)
        except RevisionInFutureError as error:
            return int(error.metadata["askedRevision"])

    Feed._position = patient  # type: ignore[method-assign]


def compacted_start_served() -> None:
    """A start below the log begins silently where the log does."""
    position = Feed._position
    next_revisions = Feed._next_revisions

    async def silent(self: Feed, start: Start | int | WatchToken) -> int:
        try:
            return await position(self, start)
        except RevisionCompactedError as error:
            return int(error.metadata["askedRevision"])

    async def whatever_is_left(self: Feed) -> Sequence[EncodedRevision]:
        try:
            return await next_revisions(self)
        except RevisionCompactedError as error:
            self._cursor = int(error.metadata["compactRevision"])
            return await next_revisions(self)

    Feed._position = silent  # type: ignore[method-assign]
    Feed._next_revisions = whatever_is_left  # type: ignore[method-assign]


def future_judged_by_ring() -> None:
    """What this process has not heard of yet is taken for the future."""
    position = Feed._position

    async def nearsighted(self: Feed, start: Start | int | WatchToken) -> int:
        revision = await position(self, start)
        if revision > self._hub.revision and not isinstance(start, Start):
            raise RevisionInFutureError.of(
                asked=revision,
                compacted=self._hub.compact_revision,
                current=self._hub.revision,
            )
        return revision

    Feed._position = nearsighted  # type: ignore[method-assign]


def snapshot_gap() -> None:
    """The stream goes on where the registry stands when the snapshot ends, not where it began."""
    snapshot = Feed._snapshot

    async def gapped(self: Feed) -> AsyncIterator[Delivery]:
        async for delivery in snapshot(self):
            yield delivery
        self._cursor = self._hub.revision

    Feed._snapshot = gapped  # type: ignore[method-assign]


def snapshot_duplicate() -> None:
    """The stream begins a little before the snapshot, to be on the safe side."""
    snapshot = Feed._snapshot

    async def overlapping(self: Feed) -> AsyncIterator[Delivery]:
        async for delivery in snapshot(self):
            yield delivery
        self._cursor = max(self._cursor - 2, 0)

    Feed._snapshot = overlapping  # type: ignore[method-assign]


def token_without_epoch() -> None:
    """A token is a revision and nothing else."""
    position = Feed._position

    async def trusting(self: Feed, start: Start | int | WatchToken) -> int:
        try:
            return await position(self, start)
        except EpochChangedError:
            assert isinstance(start, WatchToken)
            return await position(self, start.revision)

    Feed._position = trusting  # type: ignore[method-assign]


def no_draining_message() -> None:
    """The stream ends without a word about where to go on."""
    run = Feed.run

    async def curt(self: Feed) -> AsyncIterator[Delivery]:
        async for delivery in run(self):
            if delivery.kind is not feed.DeliveryKind.DRAINING:
                yield delivery

    Feed.run = curt  # type: ignore[method-assign,assignment]


MUTANTS = (
    Mutant("inclusive_resume", inclusive_resume, "resume", "W2"),
    Mutant("future_start_accepted", future_start_accepted, "bounds", "W8", frozenset({"W10"})),
    Mutant(
        "compacted_start_served", compacted_start_served, "bounds", "W8", frozenset({"W3", "W6"})
    ),
    Mutant("future_judged_by_ring", future_judged_by_ring, "lag", "W8", frozenset({"W5"})),
    Mutant("snapshot_gap", snapshot_gap, "snapshot", "W7", frozenset({"W3", "W6"})),
    Mutant("snapshot_duplicate", snapshot_duplicate, "snapshot", "W7", frozenset({"W1"})),
    Mutant("token_without_epoch", token_without_epoch, "bounds", "W9"),
    Mutant("no_draining_message", no_draining_message, "drain", "W16"),
)
