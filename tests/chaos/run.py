"""A run: everything at once for a while, then calm, then judgement."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.chaos.change_log import ChangeLog, LogArchive, LoggedChange
from tests.chaos.clients import AsyncClientWatcher, SyncClientWatcher
from tests.chaos.evidence import Evidence
from tests.chaos.faults import Saboteur, plan
from tests.chaos.history import (
    Converged,
    Fault,
    History,
    Read,
    WatchOpened,
    WatchResponded,
    Write,
    load,
    now_ns,
)
from tests.chaos.patience import until
from tests.chaos.programs import ProgramWatcher
from tests.chaos.selection import Selection
from tests.chaos.stalls import note_own_stalls
from tests.chaos.topology import Topology
from tests.chaos.validators import judge
from tests.chaos.workload import (
    CONVERGE_SECONDS,
    StuckLife,
    Subjects,
    WatcherLife,
    WriterLife,
)
from tests.chaos.writing import Writer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence

    from tests.chaos.postgres_store import SharedStore
    from tests.chaos.violation import Violation

LANES = 5
"""Ways to each replica; nothing but the replica itself is ever broken on the last one."""
WRITERS = 8
_MIN_WRITES_A_SECOND = 5.0
_MIN_DELIVERIES_A_SECOND = 50.0
_LONGEST = 4.0
"""Times the seconds asked for: so long a busy machine has to reach the floor of a run."""
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is asked to be.

    Attributes:
        seconds: How long faults last; longer where little happens, up to `_LONGEST` times that.
        seed: Of everything that is drawn.
        watchers: Plain ones; our own clients and idle ones come on top.
        replicas: On a store that several processes may write.
        store: sqlite or postgres.
        recorder: The program by which the C++ client watches as well; without it when empty.
    """

    seconds: float
    seed: int
    watchers: int = 16
    replicas: int = 1
    store: str = "sqlite"
    recorder: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What came of a run."""

    settings: Settings
    evidence: Evidence
    violations: Sequence[Violation]

    @property
    def counts(self) -> dict[str, Any]:
        """How much happened."""
        history = self.evidence.history
        writes = Counter(write.outcome for write in history.of(Write))
        return {
            "revisions": self.evidence.log.revision,
            "writes": dict(writes),
            "reads": sum(1 for _ in history.of(Read)),
            "streams": sum(1 for _ in history.of(WatchOpened)),
            "deliveries": sum(len(r.events) for r in history.of(WatchResponded)),
            "faults": dict(Counter(fault.name for fault in history.of(Fault))),
            "watchers": len({o.watcher for o in history.of(WatchOpened)}),
        }

    @property
    def invalid(self) -> list[str]:
        """Why the run says nothing, if it does."""
        reasons = []
        if self.evidence.log.unread:
            reasons.append(f"{len(self.evidence.log.unread)} revisions were compacted unread")
        reasons += _below_floor(self.evidence.history, self.settings.seconds)
        if not any(True for _ in self.evidence.history.of(Converged)):
            reasons.append("no watcher was asked to converge")
        return reasons

    @property
    def ok(self) -> bool:
        """No violation in a run that says something."""
        return not self.violations and not self.invalid

    def summary(self) -> str:
        """One line of JSON."""
        return json.dumps(
            {
                "chaos": "run",
                **asdict(self.settings),
                **self.counts,
                "violations": dict(Counter(v.promise for v in self.violations)),
                "invalid": self.invalid,
                "ok": self.ok,
            }
        )


def _below_floor(history: History, seconds: float) -> list[str]:
    """What there has to be more of before a run of so many seconds says anything."""
    written = sum(1 for write in history.of(Write) if write.outcome == "ok")
    delivered = sum(len(response.events) for response in history.of(WatchResponded))
    reasons = []
    if written < _MIN_WRITES_A_SECOND * seconds:
        reasons.append(f"fewer than {_MIN_WRITES_A_SECOND:g} writes a second")
    if delivered < _MIN_DELIVERIES_A_SECOND * seconds:
        reasons.append(f"fewer than {_MIN_DELIVERIES_A_SECOND:g} deliveries a second")
    return reasons


async def run(settings: Settings, home: Path) -> Report:
    """Run, save history and log under `home`, and judge.

    Args:
        settings: What to run.
        home: An empty directory.
    """
    if settings.store == "sqlite":
        return await _run(settings, home, None)
    from tests.chaos.postgres_store import postgres_store

    async with postgres_store() as shared:
        return await _run(settings, home, shared)


async def _run(settings: Settings, home: Path, shared: SharedStore | None) -> Report:
    rng = random.Random(settings.seed)
    with (home / "history.jsonl").open("w", encoding="utf-8") as file:
        history = History(file=file)
        topology = Topology(
            home,
            history,
            rng=random.Random(rng.random()),
            replicas=settings.replicas,
            lanes=LANES,
            shared=shared,
        )
        async with topology:
            archive = LogArchive(topology.reader, history)
            async with _running([archive.follow(), note_own_stalls(history), _measure(topology)]):
                await _live(settings, topology, archive, history, rng, shared)
            await archive.finish()
    _save_log(archive.log, home / "log.jsonl")
    evidence = Evidence(history, archive.log)
    return Report(settings, evidence, judge(evidence))


def judge_again(home: Path, settings: Settings) -> Report:
    """Judge the history and the log that a run saved."""
    evidence = Evidence(load(home / "history.jsonl"), _load_log(home / "log.jsonl"))
    return Report(settings, evidence, judge(evidence))


async def _live(
    settings: Settings,
    topology: Topology,
    archive: LogArchive,
    history: History,
    rng: random.Random,
    shared: SharedStore | None,
) -> None:
    calm = [list(replica.lanes)[-1] for replica in topology.replicas]
    broken = [lane for lane in topology.lanes if lane not in calm]
    subjects = Subjects(random.Random(rng.random()))
    writers = [
        WriterLife(
            Writer(
                f"writer-{number}",
                history,
                partial(topology.address, lane),
                rng=random.Random(rng.random()),
            ),
            subjects,
            random.Random(rng.random()),
        )
        for number, lane in enumerate(_spread(calm, broken))
    ]
    watchers = [
        WatcherLife(number, topology, archive, history, random.Random(rng.random()))
        for number in range(settings.watchers)
    ]
    idle = [
        StuckLife(number, topology, history, random.Random(rng.random())) for number in range(2)
    ]
    clients = [*_clients(topology, history), *_programs(settings, topology, history)]
    saboteur = Saboteur(topology, broken, shared, history)
    plans = plan(
        random.Random(rng.random()),
        seconds=_LONGEST * settings.seconds,
        replicas=settings.replicas,
        lanes=len(broken),
        shared=shared is not None,
    )
    async with _running([client.live() for client in clients]):
        lives = [
            *(writer.live() for writer in writers),
            *(watcher.live() for watcher in watchers),
            *(stuck.live() for stuck in idle),
        ]
        async with _running(lives), asyncio.TaskGroup() as faults:
            for planned in plans.values():
                faults.create_task(saboteur.run(planned))
            await asyncio.sleep(settings.seconds)
            for _ in range(round((_LONGEST - 1) * settings.seconds / _LOOK_SECONDS)):
                if not _below_floor(history, settings.seconds):
                    break
                await asyncio.sleep(_LOOK_SECONDS)
            saboteur.end()
        await saboteur.heal()
        await archive.read_surely()
        target = archive.log.revision
        await asyncio.gather(
            *(watcher.converge(target) for watcher in watchers),
            *(_converged(client, target, history) for client in clients),
        )


def _spread(calm: Sequence[str], broken: Sequence[str]) -> Iterator[str]:
    """A lane for every writer: every other one a calm one, and all replicas in turn."""
    for number in range(WRITERS):
        if number % 2:
            yield calm[number // 2 % len(calm)]
        else:
            yield broken[(number // 2) * LANES % len(broken)]


def _clients(topology: Topology, history: History) -> list[AsyncClientWatcher | SyncClientWatcher]:
    selections = (Selection(), Selection(prefix="s."))
    lanes = list(topology.lanes.items())
    made: list[AsyncClientWatcher | SyncClientWatcher] = []
    for number, selection in enumerate(selections):
        lane, proxy = lanes[number % len(lanes)]
        made.append(AsyncClientWatcher(f"async-{number}", lane, proxy.address, selection, history))
        lane, proxy = lanes[(number + 2) % len(lanes)]
        made.append(SyncClientWatcher(f"sync-{number}", lane, proxy.address, selection, history))
    return made


def _programs(settings: Settings, topology: Topology, history: History) -> Iterator[ProgramWatcher]:
    """The C++ client on each lane in turn: watching on, or leaving and coming back by token."""
    if not settings.recorder:
        return
    for number, (lane, proxy) in enumerate(topology.lanes.items()):
        yield ProgramWatcher(
            f"cpp-{number}",
            Path(settings.recorder),
            lane,
            proxy.address,
            history,
            prefix="s." if number % 2 else "",
            reopen_seconds=0.7 if number % 3 == 2 else 0.0,
        )


async def _converged(
    client: AsyncClientWatcher | SyncClientWatcher | ProgramWatcher,
    target: int,
    history: History,
) -> None:
    from_ns = now_ns()
    seen = client if isinstance(client, ProgramWatcher) else client.recorder
    with suppress(TimeoutError):
        async with asyncio.timeout(CONVERGE_SECONDS):
            await until(lambda: seen.revision >= target)
    seconds = (now_ns() - from_ns) / 1e9
    history.add(Converged(seen.name, target, seen.revision, seconds))


@asynccontextmanager
async def _running(works: Sequence[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run endless work beside the block; work that fails fails the run."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        await _end(tasks)
    for task in tasks:
        if not task.cancelled() and (failure := task.exception()) is not None:
            raise failure


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel until it is so: a cancellation that meets the end of a call can get lost in it."""
    pending = set(tasks)
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=1.0)


async def _measure(topology: Topology) -> None:
    while True:
        for replica in topology.replicas:
            replica.measure()
        await asyncio.sleep(1.0)


def _save_log(log: ChangeLog, path: Path) -> None:
    head = {
        "epoch": log.epoch,
        "revision": log.revision,
        "vanished": [asdict(c) for c in log.vanished],
        "unread": log.unread,
    }
    lines = [json.dumps(head), *(json.dumps(asdict(change)) for change in log.changes)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _load_log(path: Path) -> ChangeLog:
    head, *rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    log = ChangeLog(
        epoch=head["epoch"],
        revision=head["revision"],
        vanished=[LoggedChange(**change) for change in head["vanished"]],
        unread=head["unread"],
    )
    log.changes.extend(LoggedChange(**row) for row in rows)
    log.index()
    return log
