"""Replicas on one PostgreSQL: registrations, and how soon the others tell their watchers.

A private cluster from the Debian packages, three registry processes, all on this machine.
Delay is counted from the start of the call that registers, so it includes the judging and the
commit.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import uvloop

from bench._measure import SECONDS, at_least, at_most, quantile, report
from bench._servers import scratch
from bench._ticks import SCHEMA
from tests.support.postgres import PostgresCluster
from tests.support.postgres_fixtures import fresh_database
from tests.support.registry_process import RegistryProcess
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as wire

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.registry_process import Stub

BENCH = "replicas"
_REPLICAS = 3
_IN_FLIGHT = 32
_EVENTS_A_SECOND = 10
_EVENTS = 100
_EVENTS_WITHOUT_HINTS = 12


def main() -> None:
    """Start a cluster, measure, and leave nothing behind."""
    cluster = PostgresCluster()
    try:
        cluster.create()
        with scratch() as folder:
            uvloop.run(_measure(cluster, folder))
    finally:
        cluster.destroy()


async def _measure(cluster: PostgresCluster, folder: Path) -> None:
    async with AsyncExitStack() as ends:
        url = await ends.enter_async_context(fresh_database(cluster))
        replicas = [
            RegistryProcess(
                folder / f"replica{number}", environment={"TICKMESH_REGISTRY__STORE__URL": url}
            )
            for number in range(_REPLICAS)
        ]
        for replica in replicas:
            ends.push_async_callback(replica.stop)
            await replica.start()
        stubs = [await ends.enter_async_context(replica.stub()) for replica in replicas]

        await _registrations_per_second(stubs[:1], "warm", seconds=1.0)
        for name, used in (("one_replica", stubs[:1]), ("three_replicas", stubs)):
            rate = await _registrations_per_second(used, name, seconds=SECONDS)
            target = at_least(600) if name == "one_replica" else None
            report(BENCH, f"register_schema_postgresql_{name}", rate, "1/s", target=target)

        own, other = await _delays(stubs[0], stubs[:2], events=_EVENTS, name="hinted")
        for share, target in ((0.5, None), (0.99, at_most(100))):
            report(
                BENCH,
                f"commit_to_other_replica_over_own_p{share * 100:.0f}",
                quantile(other, share) * 1e3,
                "ms",
                baseline=quantile(own, share) * 1e3,
                target=target,
            )
        admin = await cluster.connect(urlsplit(url).path[1:])
        await admin.execute("DROP TRIGGER registry_clock_moved ON registry_clock")
        await admin.close()
        _, other = await _delays(stubs[0], stubs[:2], events=_EVENTS_WITHOUT_HINTS, name="polled")
        report(
            BENCH,
            "commit_to_other_replica_without_notifications_max",
            max(other),
            "s",
            target=at_most(1.5),
        )


async def _register(stub: Stub, subject: str, number: int) -> int:
    text = json.dumps({**json.loads(SCHEMA), "title": f"{subject} {number}"})
    answer = await stub.RegisterSchema(wire.RegisterSchemaRequest(subject=subject, text=text))
    revision: int = answer.revision
    return revision


async def _registrations_per_second(stubs: list[Stub], name: str, *, seconds: float) -> float:
    """Distinct subjects, some dozens of calls in flight."""
    end = time.monotonic() + seconds
    done = 0

    async def caller(caller_number: int) -> None:
        nonlocal done
        number = 0
        while time.monotonic() < end:
            number += 1
            stub = stubs[(caller_number + number) % len(stubs)]
            await _register(stub, f"{name}.{caller_number}.{number}", number)
            done += 1

    began = time.monotonic()
    await asyncio.gather(*(caller(number) for number in range(_IN_FLIGHT)))
    return done / (time.monotonic() - began)


async def _delays(
    writer: Stub, readers: list[Stub], *, events: int, name: str
) -> list[list[float]]:
    """Seconds from the start of each registration to its event, by reader."""
    began: dict[int, float] = {}
    watchers = [_Watcher(reader, events) for reader in readers]
    async with asyncio.TaskGroup() as group:
        watching = [group.create_task(watcher.run()) for watcher in watchers]
        for watcher in watchers:
            await watcher.ready.wait()
        for number in range(events):
            at = time.monotonic()
            began[await _register(writer, f"delay.{name}.{number}", number)] = at
            await asyncio.sleep(1 / _EVENTS_A_SECOND)
        for watcher in watchers:
            await watcher.everything.wait()
        for task in watching:
            task.cancel()
    return [
        [watcher.arrived[revision] - at for revision, at in began.items()] for watcher in watchers
    ]


class _Watcher:
    """Notes when each revision arrives."""

    def __init__(self, stub: Stub, events: int) -> None:
        self._stub = stub
        self._events = events
        self.arrived: dict[int, float] = {}
        self.ready = asyncio.Event()
        self.everything = asyncio.Event()

    async def run(self) -> None:
        async for response in self._stub.Watch(wire.WatchRequest(now=wire.StartNow())):
            self.ready.set()
            for event in response.events:
                self.arrived[event.revision] = time.monotonic()
            if len(self.arrived) == self._events:
                self.everything.set()


if __name__ == "__main__":
    main()
