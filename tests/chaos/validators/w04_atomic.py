"""W4: one revision in one response, or flagged fragments of which the last is not flagged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence
    from tests.chaos.streams import Stream


def atomic(evidence: Evidence) -> Iterator[Violation]:
    """Judge how revisions lie in responses."""
    for stream in evidence.streams:
        yield from _responses(stream)


def _responses(stream: Stream) -> Iterator[Violation]:
    complete = -1
    open_revision: int | None = None
    for response in stream.responses:
        if response.kind != "events":
            if open_revision is not None and response.kind != "snapshot_part":
                text = f"{response.kind} within the fragments of revision {open_revision}"
                yield Violation("W4", stream.name, response.at_ns, text)
            continue
        revisions = {event.revision for event in response.events}
        if revisions != {response.revision}:
            text = f"events of {sorted(revisions)} in the response of {response.revision}"
            yield Violation("W4", stream.name, response.at_ns, text)
        if response.revision == complete:
            text = f"more of revision {complete} after its last fragment"
            yield Violation("W4", stream.name, response.at_ns, text)
        if open_revision not in (None, response.revision):
            text = f"revision {response.revision} within the fragments of {open_revision}"
            yield Violation("W4", stream.name, response.at_ns, text)
        if response.fragment:
            open_revision = response.revision
            if stream.opened.raw and response.token_revision:
                text = f"a fragment of revision {response.revision} carries a token"
                yield Violation("W4", stream.name, response.at_ns, text)
        else:
            open_revision = None
            complete = response.revision
