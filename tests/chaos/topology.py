"""The registries of a run: real processes on one store, and the proxies clients reach them by.

One replica on SQLite; any number of them on a store that several processes may write.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Self

from tests.chaos.change_log import SqliteLogReader
from tests.chaos.fault_proxy import FaultProxy
from tests.chaos.history import Drained, Fault, Hidden, MemoryUsed, now_ns
from tests.chaos.launcher import HIDDEN_FILE, STALLS_FILE
from tests.chaos.stalls import stalls_of
from tests.support.registry_process import RegistryProcess

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from tests.chaos.change_log import LogReader
    from tests.chaos.history import History
    from tests.chaos.postgres_store import SharedStore

_STARTS = 3
_PREFIX = "TICKMESH_REGISTRY__"
DRAIN_SECONDS = f"{_PREFIX}SERVING__DRAIN_SECONDS"
"""The setting: how long a server that ends gives its calls."""
_QUICK: Mapping[str, str] = {
    f"{_PREFIX}WATCH__RING_REVISIONS": "64",
    f"{_PREFIX}WATCH__STUCK_AFTER_SECONDS": "2",
    f"{_PREFIX}LOG__KEEP_REVISIONS": "300",
    f"{_PREFIX}LOG__COMPACT_EVERY_SECONDS": "0.3",
    DRAIN_SECONDS: "3",
}


class Replica:
    """One registry process and the proxies before it, its lanes.

    Args:
        name: What the history calls it; its lanes are `<name>/<number>`.
        process: The process, not yet started.
        history: Takes what is done to it.
        lanes: How many proxies.
        drain_seconds: How long it gives its calls when it is asked to end.
        rng: For the proxies.
    """

    def __init__(
        self,
        name: str,
        process: RegistryProcess,
        history: History,
        *,
        lanes: int,
        drain_seconds: float,
        rng: random.Random,
    ) -> None:
        self.name = name
        self.process = process
        self._grace_ns = round(drain_seconds * 1e9)
        self._history = history
        self.lanes: Mapping[str, FaultProxy] = {
            f"{name}/{number}": FaultProxy(lambda: process.address, rng=rng)
            for number in range(lanes)
        }

    async def kill(self, *, down_seconds: float = 0.0) -> None:
        """End it as a crash would, and start it again."""
        from_ns = now_ns()
        await self.process.kill()
        await asyncio.sleep(down_seconds)
        await self._start()
        self._history.add(Fault("kill", self.name, from_ns, now_ns()))

    async def freeze(self, *, seconds: float) -> None:
        """Stop it in its tracks for a while."""
        from_ns = now_ns()
        self.process.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.process.signal(signal.SIGCONT)
            self._history.add(Fault("freeze", self.name, from_ns, now_ns()))

    async def drain(self, *, down_seconds: float = 0.0) -> None:
        """Ask it to end, and start it again once it has."""
        from_ns = now_ns()
        self.process.send_stop()
        code = await self.process.wait()
        to_ns = now_ns()
        self._history.add(
            Drained(self.name, tuple(self.lanes), from_ns, to_ns, code, self._grace_ns)
        )
        await asyncio.sleep(down_seconds)
        await self._start()
        self._history.add(Fault("restart", self.name, to_ns, now_ns()))

    async def _start(self) -> None:
        """Start it, as a supervisor would: a store that fails meanwhile may let it fail, too."""
        for _ in range(_STARTS - 1):
            with suppress(AssertionError):
                await self.process.start()
                return
        await self.process.start()

    def measure(self) -> None:
        """Record its memory."""
        used = self.process.resident_bytes()
        if used is not None:
            self._history.add(MemoryUsed(self.name, now_ns(), used))


class Topology:
    """Replicas on one store, started and ended together.

    Args:
        home: Where everything of the run lies.
        history: Takes what is done to them.
        rng: For proxies.
        replicas: How many; one on SQLite.
        lanes: Proxies before each.
        mutant: The bug that every replica has.
        conditions: Circumstances every replica is in.
        environment: Settings beyond the quick ones of the harness.
        shared: The store of several replicas; by default they are one, on SQLite.
    """

    def __init__(
        self,
        home: Path,
        history: History,
        *,
        rng: random.Random,
        replicas: int = 1,
        lanes: int = 1,
        mutant: str = "",
        conditions: Iterable[str] = (),
        environment: Mapping[str, str] | None = None,
        shared: SharedStore | None = None,
    ) -> None:
        if shared is None and replicas != 1:
            raise ValueError(f"expected 1 replica on SQLite, got {replicas}")
        self._home = home
        self._hidden_file = home / "hidden.json"
        self._history = history
        self._ends = AsyncExitStack()
        options = [
            *(("--mutant", mutant) if mutant else ()),
            *(word for condition in conditions for word in ("--condition", condition)),
        ]
        file = home / "registry.db"
        settings = {
            **_QUICK,
            f"{_PREFIX}STORE__URL": f"sqlite:///{file}" if shared is None else shared.url,
            HIDDEN_FILE: str(self._hidden_file),
            **(environment or {}),
        }
        self.reader: LogReader = SqliteLogReader(file) if shared is None else shared.reader
        self.replicas: Sequence[Replica] = [
            Replica(
                name,
                RegistryProcess(
                    home / name,
                    environment=settings | {STALLS_FILE: str(_stalls_file(home, name))},
                    program=[sys.executable, "-m", "tests.chaos.launcher", *options],
                ),
                history,
                lanes=lanes,
                drain_seconds=float(settings[DRAIN_SECONDS]),
                rng=rng,
            )
            for name in (f"r{number}" for number in range(replicas))
        ]

    @property
    def lanes(self) -> Mapping[str, FaultProxy]:
        """Every way to every replica."""
        return {name: proxy for replica in self.replicas for name, proxy in replica.lanes.items()}

    def address(self, lane: str) -> str:
        """Where clients of a lane connect to."""
        return self.lanes[lane].address

    async def __aenter__(self) -> Self:
        self.hide(())
        try:
            for replica in self.replicas:
                self._ends.push_async_callback(replica.process.stop_or_kill)
                await replica.process.start()
                for proxy in replica.lanes.values():
                    await self._ends.enter_async_context(proxy)
        except BaseException:
            await self._ends.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._ends.aclose()
        for replica in self.replicas:
            for stall in stalls_of(replica.name, _stalls_file(self._home, replica.name)):
                self._history.add(stall)

    def hide(self, prefixes: Iterable[str]) -> None:
        """From now on subjects with these prefixes, and no others, are hidden from watchers."""
        from_ns = now_ns()
        names = tuple(prefixes)
        partial = self._hidden_file.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(names))
        partial.replace(self._hidden_file)
        self._history.add(Hidden(from_ns, now_ns(), names))


def _stalls_file(home: Path, replica: str) -> Path:
    return home / f"{replica}.stalls"
