"""Crashes, drains, watchers that do not read, permissions that are taken away."""

from __future__ import annotations

import asyncio

from tests.chaos import schemas
from tests.chaos.bench import Bench, Scenario
from tests.chaos.patience import until
from tests.chaos.watching import SMALL_WINDOW, SNAPSHOT, Watcher, after

_STUCK = "TICKMESH_REGISTRY__WATCH__STUCK_AFTER_SECONDS"


async def crash(bench: Bench) -> None:
    """The server is killed the moment a watcher has seen something, and comes back."""
    watcher = bench.watcher()
    async with bench.writer(attempts=1) as writer:

        async def write() -> None:
            for number in range(50):
                await writer.register(f"s.{number % 3}")

        writing = asyncio.create_task(write())
        await bench.watch(watcher, after(0), until=lambda w: len(w.events) >= 4)
        await bench.replica.kill()
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    async with bench.writer("later") as writer:
        await writer.register("s.0")
        await bench.watch(
            watcher, watcher.resumption, until=lambda w: w.revision >= writer.revision, seconds=3
        )


async def isolation(bench: Bench) -> None:
    """Watchers that take nothing: nobody waits for them, and they are sent away."""
    reader = bench.watcher("reader")
    reading = asyncio.create_task(bench.watch(reader, after(0), seconds=30))
    async with bench.writer("beside-stuck", attempts=1) as writer:
        await _write_for(bench, 1.5)
        stuck = [bench.watcher(f"stuck-{number}") for number in range(4)]
        address = bench.topology.address(bench.lane)
        held = [
            asyncio.create_task(
                watcher.watch(bench.lane, address, after(0), seconds=9, options=SMALL_WINDOW)
            )
            for watcher in stuck
        ]
        await until(lambda: all(watcher.kinds for watcher in stuck))
        pauses = [asyncio.create_task(watcher.pause(seconds=4.0)) for watcher in stuck]
        for number in range(12):
            unique = writer.new_unique()
            text = schemas.compatible(unique, padding=200_000)
            await writer.register(f"big.{number}", text=text)
        await _write_for(bench, 2.0)
        await asyncio.gather(*pauses)
        await asyncio.gather(*held)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def _write_for(bench: Bench, seconds: float) -> None:
    async with bench.writer("beside-stuck", attempts=1) as writer:
        for number in range(round(seconds / 0.05)):
            await writer.register(f"s.{number % 5}")
            await asyncio.sleep(0.04)


async def hiding(bench: Bench) -> None:
    """A subject is visible, is hidden, and is visible again, while somebody watches."""
    watcher = bench.watcher()
    async with bench.writer() as writer:
        await writer.register("secret.1")
        await writer.register("open.1")
        watching = asyncio.create_task(bench.watch(watcher, after(0), seconds=20))
        for prefixes in (("secret.",), (), ("secret.", "open.1"), ()):
            await _seen(watcher, writer.revision)
            bench.topology.hide(prefixes)
            for subject in ("secret.1", "open.1", "other"):
                await writer.register(subject)
        await _seen(watcher, writer.revision)
        bench.topology.hide(("secret.",))
        await bench.watch(
            bench.watcher("late"), SNAPSHOT, until=lambda w: w.revision >= writer.revision
        )
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)


async def drain(bench: Bench) -> None:
    """A drained server tells its watchers where to resume, and they do."""
    watchers = [bench.watcher(f"w{number}") for number in range(4)]
    async with bench.writer() as writer:
        for number in range(6):
            await writer.register(f"s.{number % 3}")
        watching = [
            asyncio.create_task(bench.watch(watcher, after(number)))
            for number, watcher in enumerate(watchers)
        ]
        for watcher in watchers:
            await _seen(watcher, 6)
        await asyncio.sleep(0.6)
        await bench.replica.drain()
        await asyncio.gather(*watching)
    async with bench.writer("later") as writer:
        await writer.register("s.0")
        for watcher in watchers:
            await bench.watch(
                watcher,
                watcher.resumption,
                until=lambda w: w.revision >= writer.revision,
                seconds=3,
            )


async def _seen(watcher: Watcher, revision: int) -> None:
    async with asyncio.timeout(5):
        await until(lambda: watcher.revision >= revision)


SCENARIOS = (
    Scenario("crash", crash),
    Scenario("isolation", isolation, environment={_STUCK: "1"}),
    Scenario("hiding", hiding),
    Scenario("drain", drain),
)
