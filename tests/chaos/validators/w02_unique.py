"""W2: a (revision, resource) at most once; a resume after R yields only > R."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence
    from tests.chaos.streams import Stream


def unique(evidence: Evidence) -> Iterator[Violation]:
    """Judge every stream from the place it was told to begin after."""
    for stream in evidence.streams:
        yield from _repeated(stream)
        yield from _before_start(stream)


def _repeated(stream: Stream) -> Iterator[Violation]:
    seen: set[tuple[int, int]] = set()
    for response, event in stream.followed():
        key = (event.revision, event.sequence)
        if key in seen:
            yield Violation("W2", stream.name, response.at_ns, f"event {key} came again")
        seen.add(key)


def _before_start(stream: Stream) -> Iterator[Violation]:
    opened = stream.opened
    if opened.start not in ("after_revision", "after_token"):
        return
    for response in stream.responses:
        revisions = [event.revision for event in response.events]
        if min([response.revision, *revisions]) < opened.revision or opened.revision in revisions:
            text = f"asked for what follows {opened.revision}, got {response.kind} {revisions}"
            yield Violation("W2", stream.name, response.at_ns, text)
