"""W6: PROGRESS R only after every matching event up to R went down the same stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.streams import MARKS
from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence
    from tests.chaos.streams import Stream


def bookmarkable(evidence: Evidence) -> Iterator[Violation]:
    """Judge every mark, and every token: both are places to resume after."""
    for stream in evidence.streams:
        if stream.start is not None:
            yield from _early(evidence, stream, stream.start)
        yield from _tokens(stream)


def _early(evidence: Evidence, stream: Stream, start: int) -> Iterator[Violation]:
    marked = start
    for response in stream.responses:
        if response.kind not in MARKS or response.revision <= marked:
            continue
        for change in evidence.log.between(marked, response.revision):
            came_ns = stream.delivered_keys.get(change.key)
            if came_ns is None:
                late = evidence.required(stream, change, response.at_ns)
            else:
                late = came_ns > response.at_ns
            if late:
                text = f"{response.kind} {response.revision} came before {change}"
                yield Violation("W6", stream.name, response.at_ns, text)
        marked = response.revision


def _tokens(stream: Stream) -> Iterator[Violation]:
    for response in stream.responses:
        if response.token_revision not in (0, response.revision):
            text = f"a token of {response.token_revision} on a response of {response.revision}"
            yield Violation("W6", stream.name, response.at_ns, text)
