"""W16: a watcher that reads is told where to resume when its replica goes down."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.history import Drained
from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence
    from tests.chaos.streams import Stream

SETTLED_NS = 500_000_000
"""A stream younger than this may have met the drain on its way in."""
STALL_NS = 250_000_000
"""Shorter stalls are no reason for a grace of seconds to pass."""


def drain(evidence: Evidence) -> Iterator[Violation]:
    """Judge the last words of every stream that was reading on the replica."""
    for drained in evidence.history.of(Drained):
        if drained.exit_code != 0:
            text = f"a drained replica left with {drained.exit_code}"
            yield Violation("W16", drained.replica, drained.to_ns, text)
        for stream in evidence.streams:
            if _was_reading(evidence, stream, drained):
                yield from _last_words(stream)


def _was_reading(evidence: Evidence, stream: Stream, drained: Drained) -> bool:
    end = stream.end
    return (
        stream.opened.raw
        and stream.opened.lane in drained.lanes
        and bool(stream.responses)
        and stream.responses[0].at_ns < drained.from_ns - SETTLED_NS
        and (stream.end is None or stream.end.at_ns > drained.from_ns)
        and (end is None or end.by == "server")
        and evidence.undisturbed(stream, drained.from_ns - SETTLED_NS, drained.to_ns)
        and not _cut_late(evidence, stream, drained)
    )


def _cut_late(evidence: Evidence, stream: Stream, drained: Drained) -> bool:
    """Whether somebody stood still while the grace passed: then calls may be cut unheard."""
    return drained.to_ns - drained.from_ns >= drained.grace_ns and (
        evidence.stalled_ns(stream, drained.from_ns, drained.to_ns) > STALL_NS
    )


def _last_words(stream: Stream) -> Iterator[Violation]:
    last, end = stream.responses[-1], stream.end
    if last.kind != "draining" or last.token_revision != last.revision:
        text = f"the last response was {last.kind} {last.revision}, with no place to resume"
        yield Violation("W16", stream.name, last.at_ns, text)
    if end is None or (end.code, end.reason) != ("UNAVAILABLE", "DRAINING"):
        text = f"expected UNAVAILABLE DRAINING, got {end}"
        yield Violation("W16", stream.name, stream.closed_ns, text)
