"""What a process holds of memory that is its own: RssAnon + RssShmem, sampled."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAMPLE_SECONDS = 0.02


@dataclass(slots=True)
class Peak:
    """The most that was held.

    Attributes:
        own_bytes: Anonymous and shared memory.
        file_bytes: Pages of files, the kernel's cache, at the same time or another.
    """

    own_bytes: int = 0
    file_bytes: int = 0


@contextmanager
def peak_of(pid: int) -> Iterator[Peak]:
    """Sample a process until the block ends."""
    peak, ended = Peak(), threading.Event()

    def sample() -> None:
        while not ended.wait(_SAMPLE_SECONDS):
            held = _held(pid)
            peak.own_bytes = max(peak.own_bytes, held["RssAnon"] + held["RssShmem"])
            peak.file_bytes = max(peak.file_bytes, held["RssFile"])

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        ended.set()
        thread.join()


def _held(pid: int) -> dict[str, int]:
    found = {}
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.startswith("Rss"):
            found[name] = int(value.split()[0]) * 1024
    return found


def held_at_most(pid: int) -> int:
    """The most memory a process has held at once since it began, files it maps left out.

    The kernel keeps the peak of all pages alone; what is mapped from files now is taken off it.
    """
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024 - _held(pid)["RssFile"]
