"""A cache bounded by weight, least recently used first out."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

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
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def weight(self) -> int:
        """The sum of the weights of what is held."""
        return self._weight

    @property
    def max_weight(self) -> int:
        """The bound on it."""
        return self._max_weight

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
            self.evictions += 1

    def discard(self, key: Key) -> None:
        """Let go of a value, if it is held."""
        value = self._entries.pop(key, None)
        if value is not None:
            self._weight -= self._weigh(value)

    def clear(self) -> None:
        """Let go of everything."""
        self._entries.clear()
        self._weight = 0


@dataclass(frozen=True, slots=True)
class CacheTier:
    """One tier of caches, counted since the process started.

    Attributes:
        name: The tier.
        hits: Lookups it answered.
        misses: Lookups it could not answer.
        evictions: Entries dropped to stay within the bound.
        entries: Entries held, -1 where the tier does not tell.
        bytes: About how many bytes they take, -1 where the tier does not tell.
        max_bytes: The bound on them, 0 where there is none here.
        errors: Failed calls to the tier.
    """

    name: str
    hits: int
    misses: int
    evictions: int = 0
    entries: int = -1
    bytes: int = -1
    max_bytes: int = 0
    errors: int = 0

    @classmethod
    def of(cls, name: str, cache: BoundedCache[Any, Any], *, weight_bytes: int = 1) -> CacheTier:
        """How a cache is doing whose unit of weight takes so many bytes."""
        return cls(
            name,
            hits=cache.hits,
            misses=cache.misses,
            evictions=cache.evictions,
            entries=len(cache),
            bytes=cache.weight * weight_bytes,
            max_bytes=cache.max_weight * weight_bytes,
        )
