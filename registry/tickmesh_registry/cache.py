"""A cache bounded by weight, least recently used first out."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

Key = TypeVar("Key", bound="Hashable")
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """Holds values up to a total weight.

    Args:
        max_weight: The bound on the sum of weights.
        weigh: The weight of a value, 1 or more.
    """

    def __init__(self, *, max_weight: int, weigh: Callable[[Value], int]) -> None:
        self._max_weight = max_weight
        self._weigh = weigh
        self._entries: OrderedDict[Key, Value] = OrderedDict()
        self._weight = 0
        self.hits = 0
        self.misses = 0

    def get(self, key: Key) -> Value | None:
        """The value, none when it is not held."""
        value = self._entries.get(key)
        if value is None:
            self.misses += 1
            return None
        self._entries.move_to_end(key)
        self.hits += 1
        return value

    def put(self, key: Key, value: Value) -> None:
        """Hold a value, and let go of the oldest ones that no longer fit."""
        self.discard(key)
        self._entries[key] = value
        self._weight += self._weigh(value)
        while self._weight > self._max_weight:
            _, dropped = self._entries.popitem(last=False)
            self._weight -= self._weigh(dropped)

    def discard(self, key: Key) -> None:
        """Let go of a value, if it is held."""
        value = self._entries.pop(key, None)
        if value is not None:
            self._weight -= self._weigh(value)

    def clear(self) -> None:
        """Let go of everything."""
        self._entries.clear()
        self._weight = 0
