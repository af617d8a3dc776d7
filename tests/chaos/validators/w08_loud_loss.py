"""W8: a compacted or future start is refused with both revisions, judged by the store's head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence
    from tests.chaos.streams import Stream

_REASONS = ("REVISION_COMPACTED", "REVISION_IN_FUTURE")
_KEYS = ("askedRevision", "compactRevision", "currentRevision")


def loud_loss(evidence: Evidence) -> Iterator[Violation]:
    """Judge streams that began where nothing is, or not yet, and how they were refused."""
    for stream in evidence.streams:
        yield from _served(evidence, stream)
        yield from _refused(evidence, stream)


def _served(evidence: Evidence, stream: Stream) -> Iterator[Violation]:
    opened = stream.opened
    known = opened.start == "after_revision" or (
        opened.start == "after_token" and opened.epoch == evidence.log.epoch
    )
    if not known or not stream.responses or not opened.raw:
        return
    first_ns = stream.responses[0].at_ns
    if opened.revision < evidence.compacted_by(opened.at_ns):
        text = f"served after {opened.revision}, which was compacted"
        yield Violation("W8", stream.name, first_ns, text)
    ahead = opened.revision > evidence.log.revision
    if ahead or evidence.committed_after(opened.revision) > first_ns:
        text = f"served after {opened.revision}, which did not exist yet"
        yield Violation("W8", stream.name, first_ns, text)


def _refused(evidence: Evidence, stream: Stream) -> Iterator[Violation]:
    end = stream.end
    if end is None or end.reason not in _REASONS:
        return
    values = {key: int(end.metadata.get(key) or -1) for key in _KEYS}
    asked, compacted, current = values.values()
    if end.code != "OUT_OF_RANGE" or min(values.values()) < 0:
        text = f"{end.reason} came as {end.code} with {dict(end.metadata)}"
        yield Violation("W8", stream.name, end.at_ns, text)
    elif end.reason == "REVISION_COMPACTED" and asked >= compacted:
        text = f"called compacted, but {asked} is not below {compacted}"
        yield Violation("W8", stream.name, end.at_ns, text)
    elif end.reason == "REVISION_IN_FUTURE" and (
        asked <= current or evidence.committed_by(asked) <= stream.opened.at_ns
    ):
        text = f"called future, but the store had revision {asked} by then (it says {current})"
        yield Violation("W8", stream.name, end.at_ns, text)
