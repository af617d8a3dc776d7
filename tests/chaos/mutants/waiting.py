"""Bugs in who waits for whom, and for how long."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.chaos.mutants.mutant import Mutant
from tests.chaos.patience import until
from tickmesh_registry.feed import Feed
from tickmesh_registry.lookup import Lookup
from tickmesh_registry.progress import ProgressTimer
from tickmesh_registry.service import SchemaRegistryService
from tickmesh_registry.store.write_line import WriteLine
from tickmesh_registry.watch import WatchHub

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from tickmesh_registry.domain.changes import Revision
    from tickmesh_registry.feed import Delivery
    from tickmesh_registry.lookup import Found
    from tickmesh_registry.store import Head

_NEVER_SECONDS = 1e6


def min_revision_ignored() -> None:
    """A read answers from what it has."""
    get = Lookup.get

    async def hasty(
        self: Lookup, selector: Any, *, min_revision: int = 0, deadline_ns: int | None = None
    ) -> Found:
        return await get(self, selector, min_revision=0, deadline_ns=deadline_ns)

    Lookup.get = hasty  # type: ignore[method-assign]


def writers_wait_for_watchers() -> None:
    """The next write waits until every watcher has the last one."""
    commit = WriteLine._commit
    run = Feed.run
    open_feeds: set[Feed] = set()

    async def counted(self: Feed) -> AsyncGenerator[Delivery]:
        open_feeds.add(self)
        try:
            async for delivery in run(self):
                yield delivery
        finally:
            open_feeds.discard(self)

    async def considerate(self: WriteLine, group: Sequence[Any]) -> None:
        await until(lambda: all(feed._cursor >= feed._hub.revision for feed in open_feeds))
        await commit(self, group)

    Feed.run = counted  # type: ignore[method-assign]
    WriteLine._commit = considerate  # type: ignore[method-assign]


def stuck_watcher_kept() -> None:
    """A watcher that takes nothing may take its time."""
    init = SchemaRegistryService.__init__

    def lenient(self: SchemaRegistryService, application: Any, **_: Any) -> None:
        init(self, application, stuck_after_seconds=_NEVER_SECONDS)

    SchemaRegistryService.__init__ = lenient  # type: ignore[method-assign]


def no_progress() -> None:
    """A stream on which nothing matches is silent."""

    def never(self: ProgressTimer) -> None:
        self.due = False

    ProgressTimer.restart = never  # type: ignore[method-assign]


def lost_notification() -> None:
    """Now and then nobody is told that a revision was made."""
    publish = WatchHub.publish

    def forgetful(self: WatchHub, revision: Revision, head: Head) -> None:
        if revision.revision % 5:
            publish(self, revision, head)

    WatchHub.publish = forgetful  # type: ignore[method-assign]


MUTANTS = (
    Mutant("min_revision_ignored", min_revision_ignored, "lag", "W11"),
    Mutant("writers_wait_for_watchers", writers_wait_for_watchers, "isolation", "W13"),
    Mutant("stuck_watcher_kept", stuck_watcher_kept, "isolation", "W13"),
    Mutant("no_progress", no_progress, "quiet", "W14", frozenset({"W3"})),
    Mutant("lost_notification", lost_notification, "quiet", "W3"),
)
