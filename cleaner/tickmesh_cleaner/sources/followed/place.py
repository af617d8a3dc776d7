"""Where a followed source stands: which file, and where in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tickmesh.decoding.decoded import Position

HEAD_BYTES = 1_024
"""How many of its first bytes tell a file from others."""

_TOKEN = re.compile(r"(\d+)-(\d+)-(\d{1,4})-([0-9a-f]{32})@([\d.a-z]+)")


_NOTHING_YET = "since-"


@dataclass(frozen=True, slots=True)
class FileMark:
    """What a file is known by.

    Attributes:
        device: Its device.
        inode: Its inode there; given to another file once this one is removed.
        head_bytes: How many of its first bytes were there when the mark was taken, 1,024 at most.
        head_digest: The beginning of their SHA-256.
    """

    device: int
    inode: int
    head_bytes: int
    head_digest: str


@dataclass(frozen=True, slots=True)
class Place:
    """A place in one of the files that had the followed name.

    Attributes:
        mark: The file.
        position: The place in it. Records are counted from 1: the line before the first one names
            the columns, or could have.
    """

    mark: FileMark
    position: Position

    def token(self) -> str:
        """The place as short text."""
        mark = self.mark
        return (
            f"{mark.device}-{mark.inode}-{mark.head_bytes}-{mark.head_digest}"
            f"@{self.position.token()}"
        )

    @classmethod
    def parse(cls, token: str) -> Place:
        """Read what `token` wrote.

        Raises:
            ValueError: The text is no place.
        """
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise ValueError(f"not a place in a followed file: {token[:80]!r}")
        device, inode, head_bytes, digest, position = match.groups()
        mark = FileMark(int(device), int(inode), int(head_bytes), digest)
        return cls(mark, Position.parse(position))

    @property
    def tells_apart(self) -> bool:
        """Whether the first bytes tell its file from all others: a header alone would not."""
        offset, head_bytes = self.position.offset, self.mark.head_bytes
        return self.position.record > 1 or head_bytes == HEAD_BYTES or 0 < offset < head_bytes


def nothing_since(instant_ns: int) -> str:
    """The beginning of a job that found no file: whatever came to have the name after that."""
    return f"{_NOTHING_YET}{instant_ns}"


def awaited_since(token: str) -> int | None:
    """What `nothing_since` was given; None for the token of a place."""
    instant = token.removeprefix(_NOTHING_YET)
    return int(instant) if instant != token else None
