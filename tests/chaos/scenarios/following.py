"""Watching while nothing is broken: catching up, resuming, big revisions, filters, silence."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.chaos.bench import Bench, Scenario
from tests.chaos.patience import until
from tests.chaos.schemas import compatible
from tests.chaos.selection import Selection
from tests.chaos.watching import SNAPSHOT, after

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.watching import Watcher

_RING = "TICKMESH_REGISTRY__WATCH__RING_REVISIONS"
_QUIET_SECONDS = 7.0
"""More than twice what W3 and W14 wait for: a busy machine may stand still meanwhile."""


async def catch_up(bench: Bench) -> None:
    """Three watchers come from behind the ring while writes go on; the filtered one sees gaps."""
    async with bench.writer() as writer:
        for number in range(30):
            await writer.register(f"s.{number % 3}")
        watchers = [
            bench.watcher("all"),
            bench.watcher("one", Selection(subjects=("s.1",))),
            bench.watcher("previous", include_previous=True),
        ]
        watching = [
            asyncio.create_task(bench.watch(watcher, after(3), until=_reached(45)))
            for watcher in watchers
        ]
        await until(lambda: min(watcher.revision for watcher in watchers) >= 25)
        for number in range(15):
            await writer.register(f"s.{number % 3}")
            await asyncio.sleep(0.02)
        await asyncio.gather(*watching)


async def resume(bench: Bench) -> None:
    """A watcher leaves and comes back, by token and by revision."""
    async with bench.writer() as writer:
        for number in range(12):
            await writer.register(f"s.{number % 3}")
        head = writer.revision  # not all twelve, where some are lost
        by_token = bench.watcher("by-token")
        await bench.watch(by_token, after(0), until=_reached(5))
        await bench.watch(by_token, by_token.resumption, until=_reached(9))
        await bench.watch(by_token, by_token.resumption, until=_reached(head))
        by_revision = bench.watcher("by-revision")
        await bench.watch(by_revision, after(7), until=_reached(9))
        await bench.watch(by_revision, after(9), until=_reached(head))


async def bulk(bench: Bench) -> None:
    """Revisions of several changes, one of them too big for a response."""
    async with bench.writer() as writer:
        for padding in (0, 600_000, 0):
            await writer.change_set("b", count=5, padding=padding)
    for name, selection in (
        ("all", Selection()),
        ("policies", Selection(kinds=("policy_changed",))),
    ):
        await bench.watch(bench.watcher(name, selection), after(0), until=_reached(3))


async def selections(bench: Bench) -> None:
    """Every kind of change past every kind of filter."""
    async with bench.writer() as writer:
        for subject in ("a.1", "a.2", "b.a.1", "b.2"):
            for kind in ("register", "register", "breaking", "force", "breaking"):
                await writer.register(subject, kind=kind)
            await writer.set_policy()
            await writer.live_and_die(f"{subject}.life")
    head = writer.revision
    for name, selection in (
        ("all", Selection()),
        ("prefix", Selection(prefix="a.")),
        ("subjects", Selection(subjects=("a.1", "b.2"))),
        ("alerts", Selection(kinds=("registration_rejected",))),
        ("policies", Selection(kinds=("policy_changed",))),
        ("breaking", Selection(actions=("breaking_change",), prefix="b.")),
        ("gone", Selection(states=("deleted",))),
        ("in-use", Selection(states=("active", "deprecated"), prefix="a.")),
        ("desk", Selection(labels=(("desk", "crypto"),))),
        ("desk-active", Selection(states=("active",), labels=(("desk", "equities"),))),
    ):
        await bench.watch(bench.watcher(name, selection), after(0), until=_reached(head))
        listed = bench.watcher(f"{name}-listed", selection)
        await bench.watch(listed, SNAPSHOT, until=_reached(head))


async def quiet(bench: Bench) -> None:
    """Ten writes, and then nothing for a while: marks come, and all ten have been told."""
    watchers = [bench.watcher("all"), bench.watcher("none", Selection(subjects=("nobody",)))]
    over = asyncio.Event()
    watching = [
        asyncio.create_task(bench.watch(watcher, after(0), until=lambda _: over.is_set()))
        for watcher in watchers
    ]
    async with bench.writer() as writer:
        for number in range(10):
            await writer.register(f"s.{number % 3}")
    await asyncio.sleep(_QUIET_SECONDS)
    over.set()
    await asyncio.gather(*watching)


async def retry(bench: Bench) -> None:
    """A write is repeated under its request id after others have followed."""
    async with bench.writer() as writer:
        first = await writer.register("s")
        await writer.register("s")
        again = await writer.register(
            "s", kind="replay", text=compatible(first.unique), request_id=first.unique
        )
        assert again.outcome == "ok"


def _reached(revision: int) -> Callable[[Watcher], bool]:
    def reached(watcher: Watcher) -> bool:
        return watcher.revision >= revision

    return reached


SCENARIOS = (
    Scenario("catch_up", catch_up, environment={_RING: "8"}),
    Scenario("resume", resume),
    Scenario("bulk", bulk),
    Scenario("selections", selections),
    Scenario("quiet", quiet),
    Scenario("retry", retry),
)
