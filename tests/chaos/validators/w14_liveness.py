"""W14: a PROGRESS at least as often as was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence

SLACK_NS = 1_500_000_000
"""For the way over the wire and for a busy machine."""


def liveness(evidence: Evidence) -> Iterator[Violation]:
    """Judge the time between marks on streams in calm."""
    for stream in evidence.streams:
        if not stream.opened.raw or stream.start is None:
            continue
        limit_ns = round(stream.opened.progress_seconds * 1e9) + SLACK_NS
        marks = [r.at_ns for r in stream.responses if r.kind in ("progress", "snapshot_end")]
        if stream.opened.start != "snapshot":
            marks.insert(0, stream.opened.at_ns)
        for mark, following in zip(marks, [*marks[1:], stream.closed_ns], strict=True):
            silent_ns = following - mark - evidence.stalled_ns(stream, mark, following)
            if silent_ns > limit_ns and evidence.calm(stream, mark, following):
                text = f"no progress for {silent_ns / 1e9:.1f} s"
                yield Violation("W14", stream.name, following, text)
