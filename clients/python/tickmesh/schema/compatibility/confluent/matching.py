"""Maximum bipartite matching, with edges asked for only when needed."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def maximum_matching(lefts: int, rights: int, fits: Callable[[int, int], bool]) -> dict[int, int]:
    """Match as many left places with right places as fit, each at most once.

    Augmenting paths (Berge 1957), breadth first. Partners at the same place are tried first, so
    that unchanged lists cost one question a place.

    Args:
        lefts: How many places there are on the left.
        rights: How many places there are on the right.
        fits: Whether a left and a right place may be matched.

    Returns:
        The right place of each left place matched.
    """
    by_left: dict[int, int] = {}
    by_right: dict[int, int] = {}
    for start in range(lefts):
        reached_from: dict[int, int] = {}
        pending = deque([start])
        free = None
        while pending and free is None:
            left = pending.popleft()
            for step in range(rights):
                right = (left + step) % rights
                if right in reached_from or by_left.get(left) == right or not fits(left, right):
                    continue
                reached_from[right] = left
                if right not in by_right:
                    free = right
                    break
                pending.append(by_right[right])
        while free is not None:
            left = reached_from[free]
            previous = by_left.get(left)
            by_left[left], by_right[free] = free, left
            free = previous
    return by_left
