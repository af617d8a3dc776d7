"""W11: once R was seen, a read with `min_revision` R answers at least R, on any replica."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from tests.chaos.history import Read
from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence


def read_your_watch(evidence: Evidence) -> Iterator[Violation]:
    """Judge the revision and the content of every answer."""
    registered: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for change in evidence.log.changes:
        if change.kind == "version_registered":
            registered[change.subject].append((change.revision, change.version))
    for read in evidence.history.of(Read):
        if read.code != "OK":
            continue
        if read.revision < read.min_revision:
            text = f"asked for {read.min_revision} or later, the answer is of {read.revision}"
            yield Violation("W11", read.subject, read.returned_ns, text)
        due = [v for r, v in registered[read.subject] if r <= read.min_revision]
        if due and read.version < max(due):
            text = f"latest at {read.min_revision} is {max(due)}, the answer is {read.version}"
            yield Violation("W11", read.subject, read.returned_ns, text)
        known = {v for r, v in registered[read.subject] if r <= read.revision}
        if read.version not in known:
            text = f"version {read.version} is not in the log up to {read.revision}"
            yield Violation("W11", read.subject, read.returned_ns, text)
