"""What is broken in a run, and when: drawn from the seed before the run begins."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.chaos.history import Fault, now_ns

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator, Sequence

    from tests.chaos.fault_proxy import FaultProxy
    from tests.chaos.history import History
    from tests.chaos.postgres_store import SharedStore
    from tests.chaos.topology import Replica, Topology

PROCESS_FAULTS = ("kill", "kill", "freeze", "drain")
NETWORK_FAULTS = (
    "latency",
    "bandwidth",
    "slices",
    "hold",
    "silent_cut",
    "reset",
    "down",
    "slow_close",
)
DATABASE_FAULTS = ("sessions_cut", "database_crash")
SECRETS = ("secret.1",)


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault to come.

    Attributes:
        at_seconds: When, from the beginning of the run.
        name: Which.
        target: The number of the replica or lane; 0 for hiding and the database.
        seconds: How long.
    """

    at_seconds: float
    name: str
    target: int
    seconds: float


def plan(
    rng: random.Random, *, seconds: float, replicas: int, lanes: int, shared: bool
) -> dict[str, list[Planned]]:
    """Draw courses of faults that run side by side: one a replica, one a lane, one of hiding.

    Args:
        rng: What is drawn from.
        seconds: How long the run lasts.
        replicas: How many.
        lanes: How many that may be broken.
        shared: Whether there is a database server to break as well.
    """
    courses = {
        f"replica {number}": _draw(
            rng, PROCESS_FAULTS, seconds, number, (2.0 * replicas, 6.0 * replicas), (0.0, 2.5)
        )
        for number in range(replicas)
    } | {
        f"lane {number}": _draw(rng, NETWORK_FAULTS, seconds, number, (0.3, 2.5), (0.2, 3.0))
        for number in range(lanes)
    }
    if shared:
        courses["database"] = _draw(rng, DATABASE_FAULTS, seconds, 0, (4.0, 12.0), (0.0, 0.0))
    courses["hiding"] = _draw(rng, ("hide",), seconds, 0, (0.5, 1.5), (0.3, 1.5))
    return {name: list(course) for name, course in courses.items()}


def _draw(
    rng: random.Random,
    names: Sequence[str],
    seconds: float,
    target: int,
    gap: tuple[float, float],
    length: tuple[float, float],
) -> Iterator[Planned]:
    at = rng.uniform(*gap)
    while at < seconds:
        planned = Planned(at, rng.choice(names), target, rng.uniform(*length))
        yield planned
        at += planned.seconds + rng.uniform(*gap)


class Saboteur:
    """Carries out a plan on a topology and records what it did.

    Args:
        topology: What is broken.
        lanes: The lanes that may be.
        shared: The store of several replicas, if they share one.
        history: Takes what was done.
    """

    def __init__(
        self,
        topology: Topology,
        lanes: Sequence[str],
        shared: SharedStore | None,
        history: History,
    ) -> None:
        self._topology = topology
        self._history = history
        self._shared = shared
        self._lanes = [(lane, topology.lanes[lane]) for lane in lanes]
        self._enough = asyncio.Event()

    def end(self) -> None:
        """Begin no further fault."""
        self._enough.set()

    async def run(self, planned: Sequence[Planned]) -> None:
        """Carry out one course of faults, each after the one before it."""
        began_ns = now_ns()
        for fault in planned:
            with suppress(TimeoutError):
                async with asyncio.timeout(fault.at_seconds - (now_ns() - began_ns) / 1e9):
                    await self._enough.wait()
            if self._enough.is_set():
                return
            if fault.name in PROCESS_FAULTS:
                await self._on_process(fault)
            elif fault.name in NETWORK_FAULTS:
                await self._on_network(fault)
            elif fault.name in DATABASE_FAULTS:
                await self._on_database(fault)
            else:
                self._topology.hide(SECRETS)
                await asyncio.sleep(fault.seconds)
                self._topology.hide(())

    async def heal(self) -> None:
        """Everything sound again; connections that are silently dead stay so."""
        self._topology.hide(())
        for _, proxy in self._lanes:
            proxy.heal()
            await proxy.up()

    async def _on_process(self, fault: Planned) -> None:
        replica: Replica = self._topology.replicas[fault.target]
        match fault.name:
            case "kill":
                await replica.kill(down_seconds=fault.seconds / 5)
            case "drain":
                await replica.drain(down_seconds=fault.seconds / 5)
            case "freeze":
                await replica.freeze(seconds=fault.seconds)

    async def _on_database(self, fault: Planned) -> None:
        assert self._shared is not None
        from_ns = now_ns()
        if fault.name == "database_crash":
            await self._shared.crash()
        else:
            await self._shared.cut_sessions()
        self._history.add(Fault(fault.name, "*", from_ns, now_ns()))

    async def _on_network(self, fault: Planned) -> None:
        name, proxy = self._lanes[fault.target]
        from_ns = now_ns()
        try:
            await _break(proxy, fault)
        finally:
            self._history.add(Fault(fault.name, name, from_ns, now_ns()))


async def _break(proxy: FaultProxy, fault: Planned) -> None:
    toxics = proxy.toxics
    match fault.name:
        case "latency":
            toxics.latency_seconds, toxics.jitter_seconds = 0.05, 0.04
        case "bandwidth":
            toxics.bytes_per_second = 40_000
        case "slices":
            toxics.slice_bytes = 7
        case "hold":
            toxics.holding = True
        case "slow_close":
            toxics.close_seconds = 1.0
        case "silent_cut":
            proxy.cut_silently()
            return
        case "reset":
            proxy.reset()
            return
        case "down":
            await proxy.down()
    await asyncio.sleep(fault.seconds)
    proxy.heal()
    await proxy.up()
