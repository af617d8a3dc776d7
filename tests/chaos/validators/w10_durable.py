"""W10: what a watcher saw is still there after a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence


def durable_first(evidence: Evidence) -> Iterator[Violation]:
    """Judge every event and every mark against what the log holds in the end."""
    log = {change.key: change for change in evidence.log.changes}
    for stream in evidence.streams:
        for response, event in stream.followed():
            logged = log.get((event.revision, event.sequence))
            if logged is None or (logged.subject, logged.digest) != (event.subject, event.digest):
                text = f"{event} was seen, and the log holds {logged}"
                yield Violation("W10", stream.name, response.at_ns, text)
        highest = max((r.revision for r in stream.responses), default=0)
        if highest > evidence.log.revision:
            text = f"revision {highest} was seen, and the log ends at {evidence.log.revision}"
            yield Violation("W10", stream.name, stream.closed_ns, text)
    for change in evidence.log.vanished:
        yield Violation("W10", "the log", 0, f"{change} was there and is gone")
