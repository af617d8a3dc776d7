"""Circumstances that a sound registry must stand, made certain so that a scenario need not hope."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tickmesh_registry.feed import Feed
from tickmesh_registry.watch import WatchHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from tickmesh_registry.domain.changes import Revision
    from tickmesh_registry.domain.versions import Version
    from tickmesh_registry.store import Head

LAG_SECONDS = 5.0
"""Long enough for a call to come meanwhile on a busy machine."""
_PAGE_SECONDS = 0.02


def lagging_ring() -> None:
    """Revisions reach the ring late, as they do on a replica that another one has overtaken."""
    publish = WatchHub.publish

    def late(self: WatchHub, revision: Revision, head: Head) -> None:
        asyncio.get_running_loop().call_later(LAG_SECONDS, publish, self, revision, head)

    WatchHub.publish = late  # type: ignore[method-assign]


def slow_snapshot() -> None:
    """Reading a snapshot takes so long that revisions are made meanwhile."""
    versions = Feed._versions

    async def slow(self: Feed, through: int) -> AsyncIterator[Version]:
        async for version in versions(self, through):
            await asyncio.sleep(_PAGE_SECONDS)
            yield version

    Feed._versions = slow  # type: ignore[method-assign]


CONDITIONS: Mapping[str, Callable[[], None]] = {
    "lagging_ring": lagging_ring,
    "slow_snapshot": slow_snapshot,
}
