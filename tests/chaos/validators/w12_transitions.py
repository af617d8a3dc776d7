"""W12: a filter by state or labels marks what enters and leaves it; others mark nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence


def filter_transitions(evidence: Evidence) -> Iterator[Violation]:
    """Judge the mark of every event against the states before and after it in the log."""
    log = {change.key: change for change in evidence.log.changes}
    for stream in evidence.streams:
        if not stream.opened.raw:
            continue
        for response, event in stream.followed():
            logged = log.get((event.revision, event.sequence))
            if logged is None:
                continue
            expected = stream.opened.selection.transition(logged) or ""
            if event.transition != expected:
                text = f"expected the mark {expected!r} on {event}"
                yield Violation("W12", stream.name, response.at_ns, text)
