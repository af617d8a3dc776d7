"""The feeds of a cleaner in a test: no host is configured unless named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_cleaner.feeds.feeds import Feeds
from tickmesh_cleaner.feeds.hosts import FeedHosts
from tickmesh_cleaner.feeds.loop import FeedLoop
from tickmesh_cleaner.spool import SpoolSpace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tickmesh_cleaner.store import CleanerStore
    from tickmesh_serving.clock import Clock


def feeds_of(home: Path, store: CleanerStore, *, clock: Clock, hosts: Sequence[str] = ()) -> Feeds:
    return Feeds(
        space=SpoolSpace(home / "feeds", max_bytes=1 << 30),
        hosts=FeedHosts(hosts, {}),
        loop=FeedLoop(),
        jobs=store.jobs,
        clock=clock,
        max_answer_bytes=1 << 20,
    )
