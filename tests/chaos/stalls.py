"""Who stood still, and when: nothing is said about speed in that time.

A process that gets no processor, or whose disk does not answer, is late without being at fault.
The harness notes it of itself, and its launcher of each server, from a thread of its own: a server
whose event loop hangs is not excused.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING

from tests.chaos.history import HarnessStalled, ReplicaStalled, now_ns

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.chaos.history import History

_BEAT_SECONDS = 0.05
_LATE_NS = 50_000_000
_BEATS_A_SYNC = 5


async def note_own_stalls(history: History) -> None:
    """Note when this event loop was late, until cancelled."""
    while True:
        from_ns = now_ns()
        await asyncio.sleep(_BEAT_SECONDS)
        if _is_late(from_ns):
            history.add(HarnessStalled(from_ns, now_ns()))


def note_server_stalls(path: Path) -> None:
    """Note in a file when this process, or the disk the file is on, was late; returns at once."""
    notes = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    probe = os.open(path.with_suffix(".probe"), os.O_WRONLY | os.O_CREAT)
    threading.Thread(target=_beat, args=(notes, probe), name="stalls", daemon=True).start()


def stalls_of(replica: str, path: Path) -> Iterator[ReplicaStalled]:
    """What a server has noted, also before it was killed."""
    if path.exists():
        for line in path.read_text().splitlines():
            from_ns, to_ns = map(int, line.split())
            yield ReplicaStalled(replica, from_ns, to_ns)


def _beat(notes: int, probe: int) -> None:
    beats = 0
    while True:
        from_ns = now_ns()
        time.sleep(_BEAT_SECONDS)
        beats += 1
        if beats % _BEATS_A_SYNC == 0:
            os.pwrite(probe, b".", 0)
            os.fsync(probe)
        if _is_late(from_ns):
            os.write(notes, f"{from_ns} {now_ns()}\n".encode())


def _is_late(from_ns: int) -> bool:
    return now_ns() - from_ns > _BEAT_SECONDS * 1e9 + _LATE_NS
