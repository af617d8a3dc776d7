"""What a directed scenario works with: one topology, a history, the log's archive."""

from __future__ import annotations

import asyncio
import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp

from tests.chaos.change_log import LogArchive
from tests.chaos.evidence import Evidence
from tests.chaos.history import History
from tests.chaos.stalls import note_own_stalls
from tests.chaos.topology import Topology
from tests.chaos.watching import StartAt, Watcher
from tests.chaos.writing import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from pathlib import Path

    from tests.chaos.history import WatchEnded
    from tests.chaos.selection import Selection
    from tests.chaos.topology import Replica

# Bounds for what hangs: a busy machine may take its time, and no bug has to be waited out.
GIVE_UP_SECONDS = 60.0
_DEADLINE_SECONDS = 30.0
_SILENCE_SECONDS = 12.0
_WATCHERS = "tickmesh_registry_watchers "


@dataclass(frozen=True, slots=True)
class Scenario:
    """A short course of events that brings certain bugs to light.

    Attributes:
        name: What mutants call it.
        play: The events.
        conditions: Circumstances of the servers.
        environment: Settings of the servers beyond the harness's own.
    """

    name: str
    play: Callable[[Bench], Awaitable[None]]
    conditions: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


class Bench:
    """A running topology, and short ways to watch and write."""

    def __init__(self, topology: Topology, archive: LogArchive, history: History) -> None:
        self.topology = topology
        self.archive = archive
        self.history = history
        self.rng = random.Random(1)
        self.lane = next(iter(topology.lanes))

    @property
    def replica(self) -> Replica:
        """The first replica."""
        return self.topology.replicas[0]

    def writer(self, name: str = "writer", *, attempts: int = 3) -> Writer:
        """A writer on the first lane."""
        return Writer(
            name,
            self.history,
            lambda: self.topology.address(self.lane),
            rng=self.rng,
            attempts=attempts,
            deadline_seconds=_DEADLINE_SECONDS,
        )

    def watcher(
        self,
        name: str = "watcher",
        selection: Selection | None = None,
        *,
        include_previous: bool = False,
    ) -> Watcher:
        """A watcher that asks for a mark every second."""
        return Watcher(
            name,
            self.history,
            selection=selection,
            include_previous=include_previous,
            silence_seconds=_SILENCE_SECONDS,
        )

    async def watchers_there(self) -> int:
        """How many watchers the first replica says that it has."""
        url = f"http://{self.replica.process.http_address}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            lines = (await answer.text()).splitlines()
        (value,) = (line.split()[1] for line in lines if line.startswith(_WATCHERS))
        return int(float(value))

    async def watch(
        self,
        watcher: Watcher,
        start: StartAt,
        *,
        until: Callable[[Watcher], bool] = lambda _: False,
        seconds: float = GIVE_UP_SECONDS,
    ) -> WatchEnded:
        """Watch on the first lane."""
        address = self.topology.address(self.lane)
        return await watcher.watch(self.lane, address, start, until=until, seconds=seconds)


@asynccontextmanager
async def staged(scenario: Scenario, home: Path, *, mutant: str = "") -> AsyncIterator[Bench]:
    """Start what a scenario needs, and read its log while it plays."""
    history = History()
    topology = Topology(
        home,
        history,
        rng=random.Random(1),
        mutant=mutant,
        conditions=scenario.conditions,
        environment=scenario.environment,
    )
    async with topology:
        archive = LogArchive(topology.reader, history)
        besides = [
            asyncio.create_task(archive.follow()),
            asyncio.create_task(note_own_stalls(history)),
        ]
        try:
            yield Bench(topology, archive, history)
        finally:
            for task in besides:
                task.cancel()
            await asyncio.gather(*besides, return_exceptions=True)


async def play(scenario: Scenario, home: Path, *, mutant: str = "") -> Evidence:
    """Play a scenario to its end; what happened, and the log it is judged against."""
    async with staged(scenario, home, mutant=mutant) as bench:
        await scenario.play(bench)
        await bench.archive.finish()
    # Only now, when the servers have ended, is known when they stood still.
    return Evidence(bench.history, bench.archive.log)
