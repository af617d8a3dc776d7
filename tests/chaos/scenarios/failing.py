"""Crashes, drains, watchers that do not read, permissions that are taken away."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING

from tests.chaos import schemas
from tests.chaos.bench import GIVE_UP_SECONDS, Bench, Scenario
from tests.chaos.patience import until
from tests.chaos.topology import DRAIN_SECONDS
from tests.chaos.watching import SMALL_WINDOW, SNAPSHOT, Watcher, after

if TYPE_CHECKING:
    from tests.chaos.writing import Writer

_STUCK = "TICKMESH_REGISTRY__WATCH__STUCK_AFTER_SECONDS"
_HOLDS = 3
_PATIENCE_SECONDS = 20.0


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
            watcher, watcher.resumption, until=lambda w: w.revision >= writer.revision
        )


async def isolation(bench: Bench) -> None:
    """Watchers that take nothing: nobody waits for them, and they are sent away."""
    reader = bench.watcher("reader")
    reading = asyncio.create_task(bench.watch(reader, after(0), seconds=600))
    async with bench.writer("beside-stuck", attempts=1) as writer:
        for hold in range(_HOLDS):
            await _write(writer, 20)
            if not await _hold(bench, writer, hold):
                break
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def _hold(bench: Bench, writer: Writer, hold: int) -> bool:
    """Watchers stand still while others write; whether the server has sent them away."""
    stuck = [bench.watcher(f"stuck-{hold}-{number}") for number in range(4)]
    address = bench.topology.address(bench.lane)
    released = asyncio.Event()
    held = [
        asyncio.create_task(
            watcher.watch(
                bench.lane,
                address,
                after(writer.revision),
                until=lambda w: released.is_set() and w.revision >= writer.revision,
                seconds=GIVE_UP_SECONDS,
                options=SMALL_WINDOW,
            )
        )
        for watcher in stuck
    ]
    await until(lambda: all(watcher.kinds for watcher in stuck))
    async with AsyncExitStack() as standing:
        for watcher in stuck:
            await standing.enter_async_context(watcher.standing_still())
        for number in range(6):
            text = schemas.compatible(writer.new_unique(), padding=200_000)
            await writer.register(f"big.{hold}.{number}", text=text)
        await _write(writer, 20)
        gone = await _only_the_reader_is_left(bench)
        released.set()
    await asyncio.gather(*held)
    return gone


async def _only_the_reader_is_left(bench: Bench) -> bool:
    """Whether the server has sent the others away, by its own word, within any patience."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while await bench.watchers_there() > 1:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.1)
            return True
    return False


async def _write(writer: Writer, count: int) -> None:
    for number in range(count):
        await writer.register(f"s.{number % 5}")
        await asyncio.sleep(0.04)


async def hiding(bench: Bench) -> None:
    """A subject is visible, is hidden, and is visible again, while somebody watches."""
    watcher = bench.watcher()
    async with bench.writer() as writer:
        await writer.register("secret.1")
        await writer.register("open.1")
        watching = asyncio.create_task(bench.watch(watcher, after(0), seconds=600))
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
                watcher, watcher.resumption, until=lambda w: w.revision >= writer.revision
            )


async def _seen(watcher: Watcher, revision: int) -> None:
    async with asyncio.timeout(GIVE_UP_SECONDS):
        await until(lambda: watcher.revision >= revision)


SCENARIOS = (
    Scenario("crash", crash),
    Scenario("isolation", isolation, environment={_STUCK: "3"}),
    Scenario("hiding", hiding),
    Scenario("drain", drain, environment={DRAIN_SECONDS: "30"}),
)
