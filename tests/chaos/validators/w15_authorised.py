"""W15: nobody is told what they may not see, also when the answer changes while they watch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence


def authorised(evidence: Evidence) -> Iterator[Violation]:
    """Judge every event, and the marks that claim nothing was left out, by the hour it came."""
    for stream in evidence.streams:
        opened_ns = stream.opened.at_ns
        for response, event in [*stream.followed(), *stream.snapshot()]:
            decided_ns = max(opened_ns, evidence.committed_after(event.revision))
            if evidence.hidden_throughout(event.subject, decided_ns, response.at_ns):
                text = f"{event.subject!r} was hidden, and {event} came"
                yield Violation("W15", stream.name, response.at_ns, text)
