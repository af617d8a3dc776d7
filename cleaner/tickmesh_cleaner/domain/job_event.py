"""What happened to a job's source or schema, for people to read."""

from __future__ import annotations

from dataclasses import dataclass

EVENTS_KEPT = 100
"""How many of its latest events a job keeps."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened.

    Attributes:
        code: A stable upper-case code, such as ROTATED or GAP.
        message: What happened, with every number that matters.
        at_ns: When.
    """

    code: str
    message: str
    at_ns: int
