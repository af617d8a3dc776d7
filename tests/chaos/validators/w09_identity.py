"""W9: a token of another store is refused EPOCH_CHANGED, and one of this store never is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.chaos.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.evidence import Evidence


def identity(evidence: Evidence) -> Iterator[Violation]:
    """Judge tokens given and tokens taken."""
    epoch = evidence.log.epoch
    for stream in evidence.streams:
        opened, end = stream.opened, stream.end
        alien = opened.start == "after_token" and opened.epoch != epoch
        if alien and stream.responses:
            text = f"a token of the store {opened.epoch!r} was taken"
            yield Violation("W9", stream.name, stream.responses[0].at_ns, text)
        if end is not None and end.reason == "EPOCH_CHANGED":
            if not alien:
                text = "EPOCH_CHANGED for a start of this very store"
                yield Violation("W9", stream.name, end.at_ns, text)
            elif end.code != "FAILED_PRECONDITION":
                yield Violation("W9", stream.name, end.at_ns, f"EPOCH_CHANGED came as {end.code}")
        for response in stream.responses:
            if response.token_revision and response.token_epoch != epoch:
                text = f"a response carries a token of the store {response.token_epoch!r}"
                yield Violation("W9", stream.name, response.at_ns, text)
