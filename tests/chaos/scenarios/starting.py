"""Where a watch may begin: bounds of the log, tokens, a replica that lags, snapshots."""

from __future__ import annotations

import asyncio

from tests.chaos.bench import Bench, Scenario
from tests.chaos.conditions import LAG_SECONDS
from tests.chaos.patience import until
from tests.chaos.selection import Selection
from tests.chaos.watching import NOW, SNAPSHOT, after, after_token
from tickmesh_registry.domain.tokens import WatchToken

_LOG = "TICKMESH_REGISTRY__LOG__"


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
        await bench.watch(bench.watcher(name), start, seconds=0.4)


async def lag(bench: Bench) -> None:
    """A replica has not heard of what was committed: it waits or reads the store, never guesses."""
    async with bench.writer() as writer:
        await writer.register("s")
        await asyncio.sleep(LAG_SECONDS * 1.3)
        await writer.read_latest("s", min_revision=0)
        last = await writer.register("s")
        watcher = bench.watcher()
        watching = asyncio.create_task(
            bench.watch(watcher, after(last.revision), seconds=LAG_SECONDS)
        )
        await writer.read_latest("s", min_revision=last.revision)
        await watching


async def snapshot(bench: Bench) -> None:
    """Snapshots are taken while registrations go on."""
    async with bench.writer() as writer:
        for number in range(24):
            await writer.register(f"s.{number % 8}")
        watchers = [
            bench.watcher("all"),
            bench.watcher("prefix", Selection(prefix="s.1")),
            bench.watcher("subjects", Selection(subjects=("s.2", "s.7", "s.9"))),
        ]
        watching = [
            asyncio.create_task(
                bench.watch(watcher, SNAPSHOT, until=lambda w: w.revision >= 60, seconds=8)
            )
            for watcher in watchers
        ]
        for number in range(36):
            await writer.register(f"s.{number % 10}")
            await asyncio.sleep(0.02)
        await asyncio.gather(*watching)


SCENARIOS = (
    Scenario(
        "bounds",
        bounds,
        environment={f"{_LOG}KEEP_REVISIONS": "5", f"{_LOG}COMPACT_EVERY_SECONDS": "0.2"},
    ),
    Scenario("lag", lag, conditions=("lagging_ring",)),
    Scenario("snapshot", snapshot, conditions=("slow_snapshot",)),
)
