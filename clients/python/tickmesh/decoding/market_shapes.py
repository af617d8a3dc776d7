"""What the names of fields tell: quotes, trades, and books whose levels stand side by side."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NUMBERED: Final = re.compile(r"(?P<before>.*?[^0-9])(?P<number>[0-9]{1,3})(?P<after>[^0-9]*)")
_WORD: Final = re.compile(r"[A-Za-z][a-z]*|[A-Z]+(?![a-z])")
_SIDES: Final = {"bid": "bids", "bids": "bids", "ask": "asks", "asks": "asks", "offer": "asks"}
_PRICES: Final = frozenset({"price", "px", "p", "prc"})
_SIZES: Final = frozenset({"size", "sz", "qty", "quantity", "amount", "volume", "vol", "q", "s"})
_COUNTS: Final = frozenset({"ct", "count", "orders", "num"})
_LEAST_LEVELS: Final = 2


@dataclass(frozen=True, slots=True)
class Ladder:
    """One side of a book, its levels in columns.

    Attributes:
        name: ``bids`` or ``asks``.
        levels: From the best level on, the column of each part.
    """

    name: str
    levels: tuple[dict[str, str], ...]


def ladders_of(names: Sequence[str]) -> list[Ladder]:
    """Sides of a book among column names such as ``bid_px_00``, ``asks[0].price``, ``bidSize1``."""
    found: defaultdict[str, defaultdict[int, dict[str, str]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for name in names:
        match = _NUMBERED.fullmatch(name)
        words = _words(name)
        side = next((_SIDES[word] for word in words if word in _SIDES), None)
        part = _part(words)
        if match is not None and side is not None and part is not None:
            found[side].setdefault(int(match["number"]), {}).setdefault(part, name)
    ladders = []
    for side, by_number in found.items():
        levels = [by_number[number] for number in sorted(by_number)]
        alike = len({frozenset(level) for level in levels}) == 1
        if alike and len(levels) >= _LEAST_LEVELS and "price" in levels[0]:
            ladders.append(Ladder(side, tuple(levels)))
    return ladders


def record_name(names: Iterable[str]) -> str | None:
    """``quote``, ``trade`` or ``book``, when the names of the fields tell."""
    words = [frozenset(_words(name)) for name in names]
    sides = {_SIDES[word] for each in words for word in each if word in _SIDES}
    if any(each & {"bids"} for each in words) and any(each & {"asks"} for each in words):
        return "book"
    if sides == {"bids", "asks"}:
        return "quote"
    has_price = any(each & {"price", "px"} for each in words)
    has_size = any(each & (_SIZES - {"q", "s"}) for each in words)
    return "trade" if has_price and has_size and not sides else None


def role_of(name: str) -> str | None:
    """The role in a tick that a field's name tells, for those nobody would dispute."""
    return "symbol" if name.lower() in ("ticker", "instrument", "sym", "ric", "pair") else None


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def _part(words: Sequence[str]) -> str | None:
    rest = [word for word in words if word not in _SIDES]
    for part, known in (("price", _PRICES), ("size", _SIZES), ("count", _COUNTS)):
        if len(rest) == 1 and rest[0] in known:
            return part
    return "price" if not rest else None
