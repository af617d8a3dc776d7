"""W7: a snapshot lists what matches at R0, the stream goes on after R0: no gap, no duplicate."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence
    from tests.chaos.streams import Stream


def snapshot_and_follow(evidence: Evidence) -> Iterator[Violation]:
    """Judge every stream that began with a snapshot."""
    for stream in evidence.streams:
        if stream.opened.start == "snapshot":
            yield from _form(stream)
            if stream.start is not None:
                yield from _content(evidence, stream, stream.start)
                yield from _hand_over(evidence, stream, stream.start)


def _form(stream: Stream) -> Iterator[Violation]:
    ended = False
    for response in stream.responses:
        if response.kind == "snapshot_part":
            wrong = ended or not response.fragment or response.token_revision != 0
        elif response.kind == "snapshot_end":
            wrong, ended = ended, True
        else:
            wrong = not ended
        if wrong:
            text = f"{response.kind} {response.revision} is out of place in a snapshot"
            yield Violation("W7", stream.name, response.at_ns, text)


def _content(evidence: Evidence, stream: Stream, base: int) -> Iterator[Violation]:
    closed_ns = next(r.at_ns for r in stream.responses if r.kind == "snapshot_end")
    allowed = _versions(evidence, stream, base)
    expected = {
        key: value
        for key, value in allowed.items()
        if evidence.visible_throughout(key[0], stream.opened.at_ns, closed_ns)
    }
    found = {(e.subject, e.version): (e.digest, e.state) for _, e in stream.snapshot()}
    counts = Counter((e.subject, e.version) for _, e in stream.snapshot())
    repeated = [key for key, count in counts.items() if count > 1]
    for title, keys in (
        ("lacks", expected.keys() - found.keys()),
        ("should not have", found.keys() - allowed.keys()),
        (
            "has another text or state for",
            [k for k in found if found[k] != allowed.get(k, found[k])],
        ),
        ("repeats", repeated),
    ):
        if keys:
            text = f"the snapshot at {base} {title} {sorted(keys)[:3]} ({len(keys)} in all)"
            yield Violation("W7", stream.name, closed_ns, text)
    if evidence.committed_by(base + 1) < stream.opened.at_ns:
        text = f"the snapshot stands at {base}, and {base + 1} was committed before it was asked"
        yield Violation("W7", stream.name, closed_ns, text)


def _versions(
    evidence: Evidence, stream: Stream, base: int
) -> dict[tuple[str, int], tuple[str, str]]:
    """Digest and state of every version that the filter admits, as of a revision."""
    selection = stream.opened.selection
    versions: dict[tuple[str, int], tuple[str, str]] = {}
    for change in evidence.log.between(0, base):
        if change.version and selection.matches_subject(change.subject):
            key = (change.subject, change.version)
            if selection.matches_version(change.state, change.labels):
                versions[key] = (change.digest, change.state)
            else:
                versions.pop(key, None)
    return versions


def _hand_over(evidence: Evidence, stream: Stream, base: int) -> Iterator[Violation]:
    followed = [event.revision for _, event in stream.followed()]
    again = sorted({revision for revision in followed if revision <= base})
    if again:
        text = f"the snapshot stands at {base}, and revisions {again[:3]} follow it"
        yield Violation("W7", stream.name, stream.closed_ns, text)
    if followed:
        lost = evidence.missing(
            stream, after=base, through=min(followed), received_ns=stream.closed_ns
        )
        if lost:
            text = f"after the snapshot at {base} the first event is {min(followed)}: {lost[0]}"
            yield Violation("W7", stream.name, stream.closed_ns, text)
