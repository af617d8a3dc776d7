"""W5: a watch resumes from any revision not compacted, on any replica."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.history import Converged
from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence

_STARTS = ("after_revision", "after_token")


def resumable(evidence: Evidence) -> Iterator[Violation]:
    """Judge refusals of good places, and whether every watcher came to the end."""
    for stream in evidence.streams:
        opened, end = stream.opened, stream.end
        if end is None or opened.start not in _STARTS or stream.responses:
            continue
        if opened.start == "after_token" and opened.epoch != evidence.log.epoch:
            continue
        kept = opened.revision >= evidence.compacted_at_most(end.at_ns)
        reached = evidence.committed_by(opened.revision) <= opened.at_ns
        if (kept and end.reason == "REVISION_COMPACTED") or (
            reached and end.reason == "REVISION_IN_FUTURE"
        ):
            text = f"{end.reason} for {opened.revision}, which the store had and kept"
            yield Violation("W5", stream.name, end.at_ns, text)
    for converged in evidence.history.of(Converged):
        if converged.reached < converged.target:
            text = (
                f"all faults were over, and {converged.seconds:.0f} s later it stood at "
                f"{converged.reached} of {converged.target}"
            )
            yield Violation("W5", converged.watcher, 0, text)
