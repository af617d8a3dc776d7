"""Where a watch may begin: bounds of the log, tokens, a replica that lags, snapshots."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from tests.chaos.bench import Bench, Scenario
from tests.chaos.patience import until
from tests.chaos.selection import Selection
from tests.chaos.watching import NOW, SNAPSHOT, after, after_token
from tickmesh_registry.domain.tokens import WatchToken

if TYPE_CHECKING:
    from tests.chaos.watching import Watcher
    from tests.chaos.writing import Writer

_LOG = "TICKMESH_REGISTRY__LOG__"
_SNAPSHOTS = 2
"""How often: for a moment a busy machine may write nothing, and it must be the moment of each."""


async def bounds(bench: Bench) -> None:
    """Starts below the log, beyond its head, at both of its ends, and of another store."""
    async with bench.writer() as writer:
        for number in range(12):
            await writer.register(f"s.{number % 3}")
            await bench.archive.read_surely()  # before it is compacted
    await until(lambda: bench.archive.compact_revision >= 7)
    for name, start in (
        ("compacted", after(2)),
        ("just-compacted", after(6)),
        ("oldest", after(7)),
        ("head", after(12)),
        ("next", after(13)),
        ("future", after(99)),
        ("alien", after_token(WatchToken("another-store", 9).encode())),
        ("own", after_token(WatchToken(bench.archive.log.epoch, 9).encode())),
        ("now", NOW),
    ):
        await bench.watch(bench.watcher(name), start, until=lambda w: w.revision >= 12)


async def lag(bench: Bench) -> None:
    """A replica has not heard of what was committed: it waits or reads the store, never guesses."""
    async with bench.writer() as writer:
        first = await writer.register("s")
        heard = bench.watcher("heard")
        while heard.revision < first.revision:
            # Briefly: a stream that is there for long might be asked why it says nothing.
            await bench.watch(heard, after(0), until=lambda w: w.revision > 0, seconds=1.0)
        await writer.read_latest("s", min_revision=0)
        last = await writer.register("s")
        watching = asyncio.create_task(
            bench.watch(bench.watcher(), after(last.revision), until=lambda w: bool(w.kinds))
        )
        await writer.read_latest("s", min_revision=last.revision)
        await watching


async def snapshot(bench: Bench) -> None:
    """Snapshots are taken while registrations go on."""
    async with bench.writer() as writer:
        for number in range(24):
            await writer.register(f"s.{number % 8}")
        for again in range(_SNAPSHOTS):
            over = asyncio.Event()
            watchers = [
                bench.watcher(f"all-{again}"),
                bench.watcher(f"prefix-{again}", Selection(prefix="s.1")),
                bench.watcher(f"subjects-{again}", Selection(subjects=("s.2", "s.7", "s.9"))),
            ]
            watching = [
                asyncio.create_task(
                    bench.watch(watcher, SNAPSHOT, until=partial(_passed, writer, over))
                )
                for watcher in watchers
            ]
            while not all(watcher.revision for watcher in watchers):
                await writer.register(f"s.{writer.revision % 10}")
                await asyncio.sleep(0.02)
            for number in range(10):
                await writer.register(f"s.{number}")
            over.set()
            await asyncio.gather(*watching)


def _passed(writer: Writer, over: asyncio.Event, watcher: Watcher) -> bool:
    """Whether a watcher has all that was written until it was over."""
    return over.is_set() and watcher.revision >= writer.revision


SCENARIOS = (
    Scenario(
        "bounds",
        bounds,
        environment={f"{_LOG}KEEP_REVISIONS": "5", f"{_LOG}COMPACT_EVERY_SECONDS": "0.2"},
    ),
    Scenario("lag", lag, conditions=("lagging_ring",)),
    Scenario("snapshot", snapshot, conditions=("slow_snapshot",)),
)
