"""What can be shown of a whole text column by a look at its bytes, without an expression a value.

Arrow's casts read more than JSON's grammar admits (`007`, ` 1`, `0x1F`, `nan`). Where a proof here
holds, a cast reads every value as the grammar does or refuses the column because its type cannot
hold them; where none holds, the caller looks at the values one by one with an expression.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tickmesh.decoding.arrow import Array

_MINUS: Final = ord("-")
_POINT: Final = ord(".")
_SLASH: Final = ord("/")
_ZERO: Final = ord("0")
_NINE: Final = ord("9")
_ROWS_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class PlainNumbers:
    """A column of JSON numbers without exponents.

    Attributes:
        fractions: Whether some value has a point.
        longest: Characters of the longest value.
    """

    fractions: bool
    longest: int


def plain_numbers(column: Array) -> PlainNumbers | None:
    """Show that no value has a leading zero, a bare point, an exponent, or anything but digits.

    Args:
        column: utf8; nulls are passed over.
    """
    octets, bounds = _valid_bytes(column)
    if not len(octets):
        return PlainNumbers(fractions=False, longest=0) if len(bounds) == 1 else None
    if int(octets.min()) < _MINUS or int(octets.max()) > _NINE or bool((octets == _SLASH).any()):
        return None
    begin, last = bounds[:-1], bounds[1:] - 1
    if bool((last < begin).any()):
        return None
    longest = int((last - begin).max()) + 1
    first = octets[begin]
    if minuses := int(np.count_nonzero(octets == _MINUS)):
        signed = first == _MINUS
        if minuses != int(np.count_nonzero(signed)):
            return None
        begin = begin + signed
        if bool((last < begin).any()):
            return None
        first = octets[begin]
    if int(first.min()) < _ZERO or int(octets[last].min()) < _ZERO:
        return None
    padded = np.flatnonzero((first == _ZERO) & (last > begin))
    if len(padded) and bool((octets[begin[padded] + 1] != _POINT).any()):
        return None
    points = np.flatnonzero(octets == _POINT)
    owners = np.searchsorted(bounds, points, side="right")
    if bool((owners[1:] == owners[:-1]).any()):
        return None
    return PlainNumbers(fractions=len(points) > 0, longest=longest)


def outline(column: Array) -> str | None:
    """What all values look like: 0 where all have a digit, else the character that all have there.

    An expression that takes every digit alike, and matches the outline, matches every value.

    Args:
        column: utf8; nulls are passed over.

    Returns:
        None when the values differ in length or in more than digits, or are not ASCII.
    """
    octets, bounds = _valid_bytes(column)
    count = len(bounds) - 1
    width = len(octets) // count if count else 0
    if not width or len(octets) % count or bool((np.diff(bounds) != width).any()):
        return None
    # Many values at once, so that the inner loops are long.
    whole = count - count % _ROWS_AT_ONCE
    least = np.full(width, 255, dtype=np.uint8)
    most = np.zeros(width, dtype=np.uint8)
    for part, rows in ((octets[: whole * width], _ROWS_AT_ONCE), (octets[whole * width :], 1)):
        if len(part):
            wide = part.reshape(-1, rows * width)
            least = np.minimum(least, wide.min(axis=0).reshape(-1, width).min(axis=0))
            most = np.maximum(most, wide.max(axis=0).reshape(-1, width).max(axis=0))
    digits = (least >= _ZERO) & (most <= _NINE)
    if bool((~digits & (least != most)).any()) or int(most.max()) > 127:
        return None
    return bytes(np.where(digits, _ZERO, least).astype(np.uint8)).decode("ascii")


def _valid_bytes(column: Array) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """The bytes of all values that are not null, and where each begins and the last ends."""
    if column.null_count:
        column = column.drop_null()
    if not len(column):
        return np.zeros(0, dtype=np.uint8), np.zeros(1, dtype=np.int32)
    _, bounds_buffer, data = column.buffers()
    bounds = np.frombuffer(bounds_buffer, dtype=np.int32)
    bounds = bounds[column.offset : column.offset + len(column) + 1]
    octets = np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(0, np.uint8)
    return octets[bounds[0] : bounds[-1]], bounds - bounds[0]
