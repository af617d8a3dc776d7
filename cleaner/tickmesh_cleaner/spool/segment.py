"""The files of a spool: each holds a run of entries and is named by the offset it begins at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh_cleaner.spool.frame import HEADER_BYTES, body_is_whole, find_header, read_header

if TYPE_CHECKING:
    from pathlib import Path

SUFFIX = ".spool"
_DIGITS = 20


class SpoolDamagedError(Exception):
    """Entries that were on stable storage are not there as they were written.

    Attributes:
        offset: Where the damage begins.
    """

    def __init__(self, offset: int) -> None:
        super().__init__(f"the spool is damaged at offset {offset}")
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Found:
    """What a segment was found to hold.

    Attributes:
        whole_bytes: Bytes of its whole entries, from its beginning.
        last: Where its last entry begins within the segment; None when it has none.
    """

    whole_bytes: int
    last: int | None


def segment_path(directory: Path, begin: int) -> Path:
    """The file of the segment that begins at an offset."""
    return directory / f"{begin:0{_DIGITS}d}{SUFFIX}"


def segment_begins(directory: Path) -> list[int]:
    """The offsets at which the segments of a directory begin, ascending."""
    return sorted(int(path.name.removesuffix(SUFFIX)) for path in directory.glob(f"*{SUFFIX}"))


def scan(path: Path, *, begin: int) -> Found:
    """Find the whole entries of a segment.

    Args:
        path: Its file.
        begin: The offset it begins at.

    Raises:
        SpoolDamagedError: An entry is damaged that was on stable storage once.
    """
    place, last = 0, None
    with path.open("rb") as file:
        while (header := read_header(file.read(HEADER_BYTES))) is not None:
            if not body_is_whole(header, file.read(header.body_bytes)):
                break
            last = place
            place += HEADER_BYTES + header.body_bytes
        file.seek(place)
        rest = file.read()
    _refuse_damage(rest, bad=begin + place)
    return Found(place, last)


def _refuse_damage(rest: bytes, *, bad: int) -> None:
    found = find_header(rest, start=1)
    while found is not None:
        place, header = found
        body_begin = place + HEADER_BYTES
        body = rest[body_begin : body_begin + header.body_bytes]
        if header.synced_through > bad and body_is_whole(header, body):
            raise SpoolDamagedError(bad)
        found = find_header(rest, start=place + 1)
