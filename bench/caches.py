"""Where the registry finds a version: in memory, in Redis, in its store; and searches, warm.

Measured inside the process, without the wire: the tiers are compared. Redis and SQLite run on the
same machine, so Redis cannot show what it is for, a database that is elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import socket
import subprocess
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Any

import uvloop

from bench._measure import at_most, medians, ratio_at_least, report, timed
from bench._servers import scratch
from tickmesh_registry.application import RegistryApplication
from tickmesh_registry.listing import PageRequest
from tickmesh_registry.lookup import ByNumber, Lookup
from tickmesh_registry.proposal import Proposal
from tickmesh_registry.redis_tier import RedisTier, connect
from tickmesh_registry.searching import FieldCondition, Search, SearchQuestion
from tickmesh_registry.shared_versions import SharedVersions
from tickmesh_registry.store.sql.store import SqliteStore
from tickmesh_registry.watch import WatchHub
from tickmesh_registry.wire import encode_change
from tickmesh_serving.call_context import CallContext
from tickmesh_serving.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BENCH = "caches"
_SUBJECTS = 5_000
_FIELDS = 20
_LOOKUPS = 200
_AT_ONCE = 50
_CALL = CallContext.internal("bench")


def main() -> None:
    """Measure lookups by tier, and searches over 5,000 subjects of 20 fields."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        loop = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        url = _redis(stack, folder)
        registry = _Registry(folder, url)
        loop.run(registry.open())
        stack.callback(lambda: loop.run(registry.close()))
        loop.run(registry.register())
        _measure_tiers(loop, registry, with_redis=url is not None)
        _measure_searches(loop, registry)


class _Registry:
    """A registry's application over SQLite, without its edge."""

    def __init__(self, folder: Path, redis_url: str | None) -> None:
        clock = SystemClock()
        self._store = SqliteStore(folder / "registry.db", new_epoch="bench")
        self._hub = WatchHub(self._store, encode=encode_change, clock=clock)
        self._store.on_commit(self._hub.publish)
        self.shared = None
        if redis_url is not None:
            tier = RedisTier(connect(redis_url), clock=clock, ttl_seconds=3_600)
            self.shared = SharedVersions(tier, self._store, self._hub)
        self.application = RegistryApplication(self._store, self._hub, clock=clock)
        self.plain = Lookup(self._store, self._hub, clock)
        self.tiered = Lookup(self._store, self._hub, clock, shared=self.shared)

    async def open(self) -> None:
        await self._store.open()
        await self._hub.start()

    async def close(self) -> None:
        self.application.close()
        if self.shared is not None:
            await self.shared.close()
        await self._store.close()

    async def register(self) -> None:
        numbers = iter(range(_SUBJECTS))

        async def some() -> None:
            for number in numbers:
                proposal = Proposal(_subject(number), _text(number))
                await self.application.register(proposal, _CALL)

        await asyncio.gather(*(some() for _ in range(_AT_ONCE)))

    async def look_up(self, lookup: Lookup) -> None:
        for number in range(_LOOKUPS):
            await lookup.get(ByNumber(_subject(number), 1))


def _subject(number: int) -> str:
    return f"bench.{number:05d}"


def _text(number: int) -> str:
    kinds = ("number", "string", "integer")
    properties: dict[str, Any] = {
        f"field_{place}_{number % 50}": {"type": kinds[place % 3]} for place in range(_FIELDS - 1)
    }
    properties["price"] = {"type": "number" if number % 100 else "integer", "minimum": number}
    return json.dumps({"type": "object", "properties": properties})


def _measure_tiers(loop: asyncio.Runner, registry: _Registry, *, with_redis: bool) -> None:
    def memory() -> float:
        return timed(lambda: loop.run(registry.look_up(registry.plain)))()

    def store() -> float:
        registry.plain.versions.clear()
        return timed(lambda: loop.run(registry.look_up(registry.plain)))()

    def redis() -> float:
        registry.tiered.versions.clear()
        return timed(lambda: loop.run(registry.look_up(registry.tiered)))()

    measures = {"store": store, "memory": memory, **({"redis": redis} if with_redis else {})}
    found = {name: seconds / _LOOKUPS * 1e6 for name, seconds in medians(measures).items()}
    report(
        BENCH,
        "lookups_in_memory_over_sqlite",
        1e6 / found["memory"],
        "lookups/s",
        baseline=1e6 / found["store"],
        target=ratio_at_least(10),
    )
    if with_redis:
        report(
            BENCH,
            "lookups_in_redis_over_sqlite",
            1e6 / found["redis"],
            "lookups/s",
            baseline=1e6 / found["store"],
        )


def _measure_searches(loop: asyncio.Runner, registry: _Registry) -> None:
    search = registry.application.search

    async def walk(question: SearchQuestion) -> None:
        """The first search works out what schemas say, a page at a time."""
        page = await search.versions(question)
        while page.next_page_token:
            following = PageRequest(token=page.next_page_token)
            page = await search.versions(question, page=following)

    questions = {
        "name_and_type": SearchQuestion((FieldCondition(name="price", type="integer"),)),
        "name_pattern": SearchQuestion((FieldCondition(name="*ice", type="integer"),)),
        "role": SearchQuestion((FieldCondition(role="price", type="integer"),)),
    }
    for question in questions.values():
        loop.run(walk(question))
    measures = {
        name: timed(partial(_run, loop, search, question)) for name, question in questions.items()
    }
    for name, seconds in medians(measures).items():
        report(BENCH, f"search_5000_by_{name}", seconds * 1e3, "ms", target=at_most(100))


def _run(loop: asyncio.Runner, search: Search, question: SearchQuestion) -> None:
    loop.run(search.versions(question))


def _redis(stack: ExitStack, folder: Path) -> str | None:
    """A private Redis; none where it is not installed, and its line is then missing."""
    program = shutil.which("redis-server")
    if program is None:
        return None
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *(program, "--bind", "127.0.0.1", "--port", str(port)),
            *("--save", "", "--dir", str(folder)),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
    assert process.stdout is not None
    lines: Iterator[str] = iter(process.stdout)
    next(line for line in lines if "Ready to accept" in line)
    return f"redis://127.0.0.1:{port}/0"


if __name__ == "__main__":
    main()
