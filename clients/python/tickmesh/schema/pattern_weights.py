"""How much work a regular expression asks of the engine that compiles it."""

from __future__ import annotations

import re
from functools import lru_cache

PATTERN_WEIGHT = 400
"""What any pattern weighs, however short."""

_UNICODE_WEIGHT = 1500
"""A class of a Unicode property is a union of hundreds of ranges."""

_WIDE_WEIGHT = 60
"""What takes nearly all characters takes all their encodings."""

_PIECE = re.compile(
    r"\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|\\."
    r"|\[(?:\\.|[^\]\\])*\]|\{\d+(?:,\d*)?\}|\(|\)|\||.",
    re.DOTALL,
)
_COUNTS = re.compile(r"\{(\d+)(?:,(\d*))?\}")


@lru_cache(maxsize=4096)
def pattern_weight(pattern: str) -> int:
    """Return about how many states a pattern compiles to; counted repetitions multiply."""
    sums = [0]
    last = 0
    for piece in _PIECE.findall(pattern):
        if piece == "(":
            sums.append(0)
            last = 0
        elif piece == ")" and len(sums) > 1:
            last = sums.pop()
            sums[-1] += last
        elif found := _COUNTS.fullmatch(piece):
            times = max(int(found[1]), int(found[2] or 0))
            sums[-1] += last * max(times - 1, 0)
            last *= max(times, 1)
        else:
            last = _weight(piece)
            sums[-1] += last
    return PATTERN_WEIGHT + sum(sums)


def _weight(piece: str) -> int:
    wide = piece in {".", r"\W", r"\S", r"\D", r"\s"} or piece.startswith("[^")
    properties = piece.count(r"\p") + piece.count(r"\P")
    return 1 + _WIDE_WEIGHT * wide + _UNICODE_WEIGHT * properties
