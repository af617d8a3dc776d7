"""W3: exactly the log's events after the start whose resource matched, of the kinds asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.change_log import LoggedChange
    from tests.chaos.evidence import Evidence
    from tests.chaos.history import SeenEvent
    from tests.chaos.streams import Stream

STALE_NS = 3_000_000_000
"""A stream in calm that says "nothing up to R" so long after R + 1 was committed has lost it."""


def reliable(evidence: Evidence) -> Iterator[Violation]:
    """Judge what came against what the log holds, and what did not come."""
    log = {change.key: change for change in evidence.log.changes}
    for stream in evidence.streams:
        yield from _wrong(evidence, stream, log)
        if stream.start is not None:
            yield from _skipped(evidence, stream, stream.start)
            yield from _stale(evidence, stream)


def _wrong(
    evidence: Evidence, stream: Stream, log: dict[tuple[int, int], LoggedChange]
) -> Iterator[Violation]:
    opened = stream.opened
    for response, event in stream.followed():
        logged = log.get((event.revision, event.sequence))
        if logged is None:
            continue  # never committed: that is W10
        if not _same(event, logged, include_previous=opened.include_previous):
            text = f"expected {logged}, got {event}"
            yield Violation("W3", stream.name, response.at_ns, text)
        if not opened.selection.matches(logged):
            text = f"{logged} does not match {opened.selection}"
            yield Violation("W3", stream.name, response.at_ns, text)
    if opened.start == "now" and stream.start is not None:
        passed = [
            r.revision
            for r in evidence.log.between(stream.start, evidence.log.revision)
            if evidence.committed_by(r.revision) < opened.at_ns
        ]
        if passed:
            text = f"began after {stream.start}, but {passed[-1]} was committed before it opened"
            yield Violation("W3", stream.name, opened.at_ns, text)


def _skipped(evidence: Evidence, stream: Stream, start: int) -> Iterator[Violation]:
    """Events of a later revision came, those of an earlier one never did."""
    last = max((r.revision for r in stream.responses if r.kind == "events"), default=start)
    received_ns = stream.closed_ns
    for change in evidence.missing(stream, after=start, through=last, received_ns=received_ns):
        text = f"{change} never came, though later events did"
        yield Violation("W3", stream.name, received_ns, text)


def _stale(evidence: Evidence, stream: Stream) -> Iterator[Violation]:
    """Nothing came of a revision long committed, though the stream was alive and well."""
    for response in stream.responses:
        if response.kind != "progress":
            continue
        due = evidence.missing(
            stream,
            after=response.revision,
            through=response.revision + 1,
            received_ns=response.at_ns,
        )
        waited_from = response.at_ns - STALE_NS
        waited_from -= evidence.stalled_ns(stream, waited_from - STALE_NS, response.at_ns)
        if (
            any(evidence.committed_by(change.revision) < waited_from for change in due)
            and stream.opened.at_ns < waited_from
            and evidence.calm(stream, waited_from, response.at_ns)
        ):
            text = f"progress stands at {response.revision} and {due[0]} is long committed"
            yield Violation("W3", stream.name, response.at_ns, text)
            return


def _same(event: SeenEvent, logged: LoggedChange, *, include_previous: bool) -> bool:
    previous = logged.previous_version if include_previous else 0
    return (
        event.kind == logged.kind
        and event.subject == logged.subject
        and event.version == logged.version
        and event.previous_version == previous
        and event.state == logged.state
        and event.digest == logged.digest
    )
