"""How writers and watchers live in a run."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.chaos import schemas
from tests.chaos.history import Converged, now_ns
from tests.chaos.patience import until
from tests.chaos.selection import Selection
from tests.chaos.watching import NOW, SMALL_WINDOW, SNAPSHOT, StartAt, Watcher, after, after_token
from tests.chaos.writing import DESKS
from tickmesh_registry.domain.tokens import WatchToken

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from tests.chaos.change_log import LogArchive
    from tests.chaos.history import History, WatchEnded
    from tests.chaos.topology import Topology
    from tests.chaos.writing import Writer

_SELECTIONS: Sequence[Selection] = (
    Selection(),
    Selection(),
    Selection(prefix="s."),
    Selection(prefix="s.1"),
    Selection(prefix="secret."),
    Selection(subjects=tuple(f"s.{number}" for number in range(0, 4_000, 3))),
    Selection(kinds=("registration_rejected", "policy_changed")),
    Selection(actions=("breaking_change", "first")),
    Selection(states=("active",)),
    Selection(states=("deprecated", "deleted")),
    Selection(labels=(("desk", DESKS[0]),)),
    Selection(prefix="life.", states=("active", "deprecated"), labels=(("desk", DESKS[1]),)),
)
_VERSIONS_A_SUBJECT = 12
_OFFSETS = 100
_WRITER_PAUSE_SECONDS = 0.02
_STUCK_SECONDS = 15.0
CONVERGE_SECONDS = 120.0


class Subjects:
    """Names to write to: several writers meet on each, and none gets too long a history."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._drawn = 0

    def draw(self) -> str:
        """The next name."""
        self._drawn += 1
        if self._rng.random() < 0.15:
            return f"secret.{self._rng.randrange(1, 3)}.{self._drawn // 80}"
        recent = self._drawn // _VERSIONS_A_SUBJECT
        return f"s.{max(0, recent - self._rng.randrange(4))}"


class WriterLife:
    """Writes, races and reads until cancelled."""

    def __init__(self, writer: Writer, subjects: Subjects, rng: random.Random) -> None:
        self._writer = writer
        self._subjects = subjects
        self._rng = rng

    async def live(self) -> None:
        """One thing after another."""
        async with self._writer:
            while True:
                await self._act()
                await asyncio.sleep(self._rng.uniform(0, 2 * _WRITER_PAUSE_SECONDS))

    async def _act(self) -> None:
        writer, rng = self._writer, self._rng
        subject = self._subjects.draw()
        dice = rng.random()
        if dice < 0.62:
            padding = 20_000 if rng.random() < 0.05 else 0
            text = schemas.compatible(writer.new_unique(), padding=padding) if padding else ""
            await writer.register(subject, text=text)
        elif dice < 0.70:
            await writer.register(subject, kind="breaking")
        elif dice < 0.74:
            await writer.register(subject, kind="force")
        elif dice < 0.80:
            await writer.set_policy()
        elif dice < 0.84:
            await writer.register(subject, expected_version=rng.randrange(_VERSIONS_A_SUBJECT))
        elif dice < 0.87:
            await self._race()
        elif dice < 0.90:
            await writer.change_set("set")
        elif dice < 0.92:
            await writer.live_and_die(f"life.{writer.new_unique()}")
        else:
            await self._read_back(subject)

    async def _race(self) -> None:
        """Two schemas that each exclude the other, at once."""
        group = f"race.{self._writer.new_unique()}"
        await self._writer.register(group)
        await asyncio.gather(
            *(
                self._writer.register(
                    group,
                    kind="race",
                    group=group,
                    text=schemas.compatible(f"{group} {kind}", raced={"type": kind}),
                )
                for kind in ("string", "integer")
            )
        )

    async def _read_back(self, subject: str) -> None:
        written = await self._writer.register(subject)
        if written.outcome == "ok":
            await self._writer.read_latest(subject, min_revision=written.revision)


class WatcherLife:
    """Watches here and there, from here and from there, until cancelled; then converges."""

    def __init__(
        self,
        number: int,
        topology: Topology,
        archive: LogArchive,
        history: History,
        rng: random.Random,
    ) -> None:
        self._topology = topology
        self._archive = archive
        self._history = history
        self._rng = rng
        self._watcher = Watcher(
            f"watcher-{number}",
            history,
            selection=_SELECTIONS[number % len(_SELECTIONS)],
            include_previous=number % 3 == 0,
        )

    async def live(self) -> None:
        """One stream after another."""
        rng, watcher = self._rng, self._watcher
        while True:
            watching = asyncio.create_task(self._watch(self._start(), rng.uniform(0.3, 6.0)))
            try:
                if rng.random() < 0.25:
                    await asyncio.sleep(rng.uniform(0.05, 0.5))
                    if not watching.done() and watcher.kinds:
                        await watcher.pause(seconds=rng.uniform(0.1, 1.5))
                await watching
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
            await asyncio.sleep(rng.uniform(0, 0.2))

    async def converge(self, target: int) -> None:
        """Go on from where it stands to the end of the log."""
        watcher, from_ns = self._watcher, now_ns()
        while watcher.revision < target and now_ns() < from_ns + CONVERGE_SECONDS * 1e9:
            await self._watch(watcher.resumption, 5.0, target=target)
        seconds = (now_ns() - from_ns) / 1e9
        self._history.add(Converged(watcher.name, target, watcher.revision, seconds))

    async def _watch(self, start: StartAt, seconds: float, *, target: int = 1 << 60) -> None:
        lane = self._rng.choice(list(self._topology.lanes))
        watcher = self._watcher
        end = await watcher.watch(
            lane,
            self._topology.address(lane),
            start,
            until=lambda w: w.revision >= target,
            seconds=seconds,
        )
        if end.reason == "REVISION_COMPACTED" and start.kind == "after_token":
            watcher.token, watcher.revision = "", 0

    def _start(self) -> StartAt:
        dice = self._rng.random()
        head = self._archive.log.revision
        if dice < 0.55:
            return self._watcher.resumption
        if dice < 0.75:
            return after(max(0, head + self._rng.randint(-_OFFSETS, _OFFSETS)))
        if dice < 0.80:
            return after(self._rng.randint(0, head))
        if dice < 0.90:
            return SNAPSHOT
        if dice < 0.97:
            return NOW
        return after_token(WatchToken("another-store", self._rng.randint(0, head)).encode())


class StuckLife:
    """Takes nothing, again and again, for longer than the server puts up with."""

    def __init__(
        self, number: int, topology: Topology, history: History, rng: random.Random
    ) -> None:
        self._topology = topology
        self._rng = rng
        self._watcher = Watcher(f"idle-{number}", history)

    async def live(self) -> None:
        """Open a stream, read a little, then nothing."""
        while True:
            lane = self._rng.choice(list(self._topology.lanes))
            watching = asyncio.create_task(
                self._watcher.watch(
                    lane,
                    self._topology.address(lane),
                    NOW,
                    seconds=_STUCK_SECONDS,
                    options=SMALL_WINDOW,
                )
            )
            try:
                await self._stand_still(watching)
                await watching
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    async def _stand_still(self, watching: asyncio.Task[WatchEnded]) -> None:
        await until(lambda: bool(self._watcher.kinds) or watching.done())
        if not watching.done():
            await self._watcher.pause(seconds=_STUCK_SECONDS - 5)
