"""A promise that was broken, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """What a validator objects to.

    Attributes:
        promise: W1 to W16, or ACK.
        where: A stream, a writer or a replica.
        at_ns: When it showed.
        text: What was expected and what came.
    """

    promise: str
    where: str
    at_ns: int
    text: str
