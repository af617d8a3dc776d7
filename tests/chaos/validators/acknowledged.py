"""ACK: nothing acknowledged is lost, nothing is done twice, and order follows time."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tests.chaos.history import Write
from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence

_MADE = {
    "policy": "policy_changed",
    "deprecate": "version_deprecated",
    "delete": "version_deleted",
    "restore": "version_restored",
}


def acknowledged(evidence: Evidence) -> Iterator[Violation]:
    """Judge every answer to a writer against the log."""
    writes = list(evidence.history.of(Write))
    yield from _lost(evidence, writes)
    yield from _doubled(evidence, writes)
    yield from _both_of_a_race(evidence, writes)
    yield from _out_of_order(writes)
    yield from _holes(evidence)


def _lost(evidence: Evidence, writes: list[Write]) -> Iterator[Violation]:
    log = defaultdict(list)
    for change in evidence.log.changes:
        log[change.revision].append(change)
    for write in writes:
        if write.outcome != "ok" or write.already:
            continue
        expected = (_MADE.get(write.kind, "version_registered"), write.subject)
        if (
            not any(
                (change.kind, change.subject) == expected
                and (not write.version or change.version == write.version)
                and (not write.digest or change.digest == write.digest)
                for change in log[write.revision]
            )
            or len(log[write.revision]) != write.changes
        ):
            text = f"{write.unique} was acknowledged at {write.revision}: {log[write.revision]}"
            yield Violation("ACK", write.writer, write.returned_ns, text)


def _doubled(evidence: Evidence, writes: list[Write]) -> Iterator[Violation]:
    """Whatever its answer was, a text is registered once, and a refused one never."""
    counts = Counter(c.digest for c in evidence.log.changes if c.kind == "version_registered")
    outcomes: dict[str, set[str]] = defaultdict(set)
    for write in writes:
        if write.digest:
            outcomes[write.digest].add(write.outcome)
    for digest, seen in outcomes.items():
        if counts[digest] > 1:
            yield Violation("ACK", digest, 0, f"one registration made {counts[digest]} versions")
        if counts[digest] and seen <= {"refused", "conflict"}:
            yield Violation("ACK", digest, 0, f"answered {sorted(seen)}, and is in the log")


def _both_of_a_race(evidence: Evidence, writes: list[Write]) -> Iterator[Violation]:
    """Of writes that exclude each other at most one gets in."""
    logged = {c.digest for c in evidence.log.changes if c.kind == "version_registered"}
    groups: dict[str, set[str]] = defaultdict(set)
    for write in writes:
        if write.group and write.digest in logged:
            groups[write.group].add(write.digest)
    for group, digests in groups.items():
        if len(digests) > 1:
            yield Violation("ACK", group, 0, "two writes that exclude each other both got in")


def _out_of_order(writes: list[Write]) -> Iterator[Violation]:
    """A write that was answered before another was called has the lower revision."""
    done = [w for w in writes if w.outcome == "ok" and not w.already and w.kind != "replay"]
    answered = sorted(done, key=lambda write: write.returned_ns)
    highest = 0
    position = 0
    for write in sorted(done, key=lambda write: write.called_ns):
        while position < len(answered) and answered[position].returned_ns < write.called_ns:
            highest = max(highest, answered[position].revision)
            position += 1
        if write.revision <= highest:
            text = f"{write.unique} has revision {write.revision}, {highest} was answered before"
            yield Violation("ACK", write.writer, write.returned_ns, text)


def _holes(evidence: Evidence) -> Iterator[Violation]:
    """Versions of a subject are dense, and so are revisions."""
    versions: dict[str, int] = defaultdict(int)
    revision = 0
    for change in evidence.log.changes:
        if change.revision not in (revision, revision + 1):
            text = f"revision {change.revision} follows {revision}"
            yield Violation("ACK", "the log", 0, text)
        revision = change.revision
        if change.kind == "version_registered":
            versions[change.subject] += 1
            if change.version != versions[change.subject]:
                text = f"{change.subject} has version {change.version} after its {change}"
                yield Violation("ACK", "the log", 0, text)
