"""W13: a stuck watcher delays nobody, its stream ends, and memory stays bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.history import MemoryUsed, Write
from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.chaos.evidence import Evidence
    from tests.chaos.streams import Stream

STUCK_WATCHER = "stuck"
"""Watchers named so take nothing for long while more is due to them than their window holds."""

P99_RATIO = 1.5
P99_SLACK_NS = 250_000_000
GROWTH_BYTES = 256 << 20


def isolation(evidence: Evidence) -> Iterator[Violation]:
    """Judge the end of stuck streams, the speed of the others, and memory."""
    stuck = [s for s in evidence.streams if s.opened.watcher.startswith(STUCK_WATCHER)]
    for stream in stuck:
        if stream.pauses and (stream.end is None or stream.end.by != "server"):
            text = "took nothing for long, and its stream went on"
            yield Violation("W13", stream.name, stream.closed_ns, text)
    yield from _delayed(evidence, stuck)
    first: dict[str, int] = {}
    for used in evidence.history.of(MemoryUsed):
        start = first.setdefault(used.replica, used.resident_bytes)
        if used.resident_bytes > start + GROWTH_BYTES:
            text = f"memory grew from {start >> 20} to {used.resident_bytes >> 20} MiB"
            yield Violation("W13", used.replica, used.at_ns, text)


def holds(stuck: Sequence[Stream]) -> list[tuple[int, int]]:
    """The times in which somebody was stuck; those that overlap are one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(window for stream in stuck for window in stream.pauses):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def latencies_ns(
    evidence: Evidence, windows: Sequence[tuple[int, int]]
) -> tuple[list[int], list[list[int]]]:
    """From a write's call to its delivery, with nobody stuck and within each hold, in calm.

    It is measured from the call, because a writer who waits for a watcher answers late; for what
    time servers or harness stood still nobody waited.
    """
    alone: list[int] = []
    beside: list[list[int]] = [[] for _ in windows]
    for stream in evidence.streams:
        if stream.opened.watcher.startswith(STUCK_WATCHER) or not stream.opened.raw:
            continue
        for (revision, _), came_ns in stream.delivered_keys.items():
            write = evidence.acknowledged.get(revision)
            if (
                write is None
                or write.called_ns < stream.opened.at_ns
                or not evidence.calm(stream, write.called_ns, came_ns)
            ):
                continue
            waited_ns = came_ns - write.called_ns
            waited_ns -= evidence.stalled_ns(stream, write.called_ns, came_ns)
            held = [
                latencies
                for latencies, (start, end) in zip(beside, windows, strict=True)
                if start < came_ns and end > write.called_ns
            ]
            for latencies in held or [alone]:
                latencies.append(waited_ns)
    return alone, beside


def percentile(values: Sequence[int], share: float) -> int:
    """A quantile by rank; 0 for no values."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0


def _delayed(evidence: Evidence, stuck: Sequence[Stream]) -> Iterator[Violation]:
    waits = [
        write
        for write in evidence.history.of(Write)
        if write.outcome == "unknown" and write.writer == "beside-stuck"
    ]
    for write in waits:
        yield Violation("W13", write.writer, write.returned_ns, "a write waited for stuck watchers")
    alone_ns, beside_ns = latencies_ns(evidence, holds(stuck))
    alone = percentile(alone_ns, 0.99)
    # Who waits for a stuck watcher does so every time; a busy machine is slow now and then.
    beside = min((percentile(each, 0.99) for each in beside_ns if each), default=0)
    if alone and beside > P99_RATIO * alone + P99_SLACK_NS:
        text = f"p99 of the others is {beside / 1e6:.1f} ms, alone it is {alone / 1e6:.1f} ms"
        yield Violation("W13", "the others", 0, text)
