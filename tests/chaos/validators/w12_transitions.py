"""W12: a filter on the resource marks what enters and leaves it; other filters mark nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence


def filter_transitions(evidence: Evidence) -> Iterator[Violation]:
    """Judge the transition of every event: a subject never enters or leaves a filter."""
    for stream in evidence.streams:
        for response, event in stream.followed():
            if event.transition:
                text = f"{event} is marked, though no filter of its can be entered or left"
                yield Violation("W12", stream.name, response.at_ns, text)
