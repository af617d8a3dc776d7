"""W1: revisions never decrease on a stream, and every response names the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence
    from tests.chaos.streams import Stream


def ordered(evidence: Evidence) -> Iterator[Violation]:
    """Judge responses and events of every stream."""
    for stream in evidence.streams:
        yield from _responses(stream)
        yield from _events(stream)


def _responses(stream: Stream) -> Iterator[Violation]:
    previous = 0
    for response in stream.responses:
        if response.revision < previous:
            text = f"{response.kind} at revision {response.revision} after {previous}"
            yield Violation("W1", stream.name, response.at_ns, text)
        if stream.opened.raw and response.prev_revision != previous:
            text = f"prev_revision {response.prev_revision} where {previous} came before"
            yield Violation("W1", stream.name, response.at_ns, text)
        previous = response.revision


def _events(stream: Stream) -> Iterator[Violation]:
    last = (0, -1)
    for response, event in stream.followed():
        position = (event.revision, event.sequence)
        if position < last:
            text = f"event {position} after {last}"
            yield Violation("W1", stream.name, response.at_ns, text)
        last = max(last, position)
