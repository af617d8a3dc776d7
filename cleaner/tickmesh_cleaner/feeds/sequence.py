"""The numbers a feed gives its messages: what was never received shows as a gap."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b

from tickmesh_cleaner.feeds.json_pointer import value_at

WINDOW = 4_096
"""Numbers remembered with the digest of their message, to know one that is sent again."""


class Kind(Enum):
    """What a message's number says."""

    UNNUMBERED = "unnumbered"
    NEXT = "next"
    AHEAD = "ahead"
    BEHIND = "behind"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands among the others.

    Attributes:
        kind: REPEATED is the very message of an earlier number; AHEAD leaves some out; BEHIND is a
            new message under a number that is not larger than the last.
        number: Its number; None when it has none.
        expected: The number that was expected.
    """

    kind: Kind
    number: int | None = None
    expected: int | None = None


class SequenceTracker:
    """Follows the numbers of one feed."""

    def __init__(self, pointer: str) -> None:
        """Begin before the first message.

        Args:
            pointer: JSON Pointer to the number; empty when the feed does not number its messages.
        """
        self._pointer = pointer
        self._last: int | None = None
        self._seen: OrderedDict[int, bytes] = OrderedDict()

    @property
    def last(self) -> int | None:
        """The latest number."""
        return self._last

    def note(self, message: bytes) -> Place:
        """Place a message that came."""
        number = self._number(message)
        if number is None:
            return Place(Kind.UNNUMBERED)
        digest = blake2b(message, digest_size=16).digest()
        expected = None if self._last is None else self._last + 1
        if self._seen.get(number) == digest:
            return Place(Kind.REPEATED, number, expected)
        self._seen[number] = digest
        self._seen.move_to_end(number)
        if len(self._seen) > WINDOW:
            self._seen.popitem(last=False)
        self._last = number
        if expected is None or number == expected:
            return Place(Kind.NEXT, number, expected)
        return Place(Kind.AHEAD if number > expected else Kind.BEHIND, number, expected)

    def _number(self, message: bytes) -> int | None:
        if not self._pointer:
            return None
        try:
            value = value_at(json.loads(message), self._pointer)
        except (ValueError, RecursionError):
            return None
        if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20:
            return int(value)
        return value if isinstance(value, int) and not isinstance(value, bool) else None
