r"""ECMA-262 patterns as trees over sets of characters, where nothing depends on the engine.

What is not purely a regular language (look-around, back-references, ``\b``) is declined, and so is
what engines read differently (property escapes, classes inside classes, odd escapes).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Code points, first and last of each run, ascending."""

LAST_CHARACTER: Final = 0x10FFFF
_DEEPEST = 60
_MOST_REPEATS = 1000
_SYNTAX = frozenset("^$\\.*+?()[]{}|/-")
_CONTROLS = {"t": 0x9, "n": 0xA, "v": 0xB, "f": 0xC, "r": 0xD}
_LINE_ENDS: Ranges = ((0xA, 0xA), (0xD, 0xD), (0x2028, 0x2029))
_DIGITS: Ranges = ((0x30, 0x39),)
_WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACES: Ranges = (
    (0x9, 0xD), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A),
    (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
)  # fmt: skip


class NotRegularError(ValueError):
    """The pattern is declined: no regular language, or not surely the same in every engine."""


@dataclass(frozen=True)
class Characters:
    """One character out of a set."""

    ranges: Ranges


@dataclass(frozen=True)
class Sequence:
    """One after the other; empty matches the empty text."""

    members: tuple[Node, ...]


@dataclass(frozen=True)
class Choice:
    """Either of several."""

    members: tuple[Node, ...]


@dataclass(frozen=True)
class Repeat:
    """A number of times; ``most`` is None when unbounded."""

    member: Node
    least: int
    most: int | None


@dataclass(frozen=True)
class Anchor:
    """The start of the text, or its end."""

    at_start: bool


Node: TypeAlias = Characters | Sequence | Choice | Repeat | Anchor


def complement(ranges: Ranges) -> Ranges:
    """Return every code point that is not in some ranges."""
    result = []
    start = 0
    for low, high in ranges:
        if low > start:
            result.append((start, low - 1))
        start = high + 1
    if start <= LAST_CHARACTER:
        result.append((start, LAST_CHARACTER))
    return tuple(result)


def _normalized(ranges: list[tuple[int, int]]) -> Ranges:
    result: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return tuple(result)


ANY_CHARACTER: Final[Ranges] = ((0, LAST_CHARACTER),)
_CLASSES: dict[str, Ranges] = {
    "d": _DIGITS,
    "D": complement(_DIGITS),
    "w": _WORD,
    "W": complement(_WORD),
    "s": _SPACES,
    "S": complement(_SPACES),
}


@lru_cache(maxsize=1024)
def parse_pattern(pattern: str) -> Node:
    """Read a pattern.

    Raises:
        NotRegularError: It is declined.
    """
    return _Parser(pattern).parse()


class _Parser:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._depth = 0

    def parse(self) -> Node:
        result = self._choice()
        if self._at < len(self._text):
            raise NotRegularError("unmatched )")
        return result

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, text: str) -> bool:
        if self._text.startswith(text, self._at):
            self._at += len(text)
            return True
        return False

    def _next(self) -> str:
        if self._at >= len(self._text):
            raise NotRegularError("unexpected end")
        self._at += 1
        return self._text[self._at - 1]

    def _choice(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise NotRegularError("nested too deeply")
        members = [self._sequence()]
        while self._take("|"):
            members.append(self._sequence())
        self._depth -= 1
        return members[0] if len(members) == 1 else Choice(tuple(members))

    def _sequence(self) -> Node:
        members: list[Node] = []
        while self._peek() not in ("", "|", ")"):
            if self._take("^"):
                members.append(Anchor(at_start=True))
            elif self._take("$"):
                members.append(Anchor(at_start=False))
            else:
                members.append(self._repeated(self._atom()))
        return members[0] if len(members) == 1 else Sequence(tuple(members))

    def _repeated(self, member: Node) -> Node:
        mark = self._peek()
        if not mark or mark not in "*+?{":
            return member
        self._at += 1
        least, most = {"*": (0, None), "+": (1, None), "?": (0, 1), "{": (0, None)}[mark]
        if mark == "{":
            end = self._text.find("}", self._at)
            if end < 0:
                raise NotRegularError("unclosed count")
            first, comma, last = self._text[self._at : end].partition(",")
            self._at = end + 1
            least = _count(first)
            most = (_count(last) if last else None) if comma else least
        # A lazy repetition matches the same texts.
        self._take("?")
        following = self._peek()
        if following and following in "*+?{":
            raise NotRegularError("a repetition of a repetition")
        return Repeat(member, least, most)

    def _atom(self) -> Node:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return Characters(self._class())
        if character == ".":
            return Characters(complement(_LINE_ENDS))
        if character == "\\":
            if self._peek() and self._peek() in _CLASSES:
                return Characters(_CLASSES[self._next()])
            code = self._escape()
            return Characters(((code, code),))
        if character in "*+?{}]":
            raise NotRegularError(f"{character} stands alone")
        return Characters(((ord(character), ord(character)),))

    def _group(self) -> Node:
        if not self._take("?:") and self._peek() == "?":
            end = self._text.find(">", self._at)
            if not self._take("?<") or not self._text[self._at : max(end, 0)].isidentifier():
                raise NotRegularError("look-around or modifiers")
            self._at = end + 1
        inner = self._choice()
        if not self._take(")"):
            raise NotRegularError("unclosed group")
        return inner

    def _escape(self) -> int:
        character = self._next()
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character in _SYNTAX:
            return ord(character)
        if character == "x":
            return self._hexadecimal(2)
        if character == "u":
            code = self._braced() if self._take("{") else self._hexadecimal(4)
            if code > LAST_CHARACTER or 0xD800 <= code < 0xE000:
                raise NotRegularError("a surrogate or out of range")
            return code
        raise NotRegularError(f"the escape \\{character}")

    def _braced(self) -> int:
        end = self._text.find("}", self._at)
        code = self._hexadecimal(end - self._at)
        self._at += 1
        return code

    def _hexadecimal(self, length: int) -> int:
        digits = self._text[self._at : self._at + length] if length > 0 else ""
        if len(digits) != length or not digits.isascii() or not digits.isalnum():
            raise NotRegularError("a hexadecimal escape")
        self._at += length
        try:
            return int(digits, 16)
        except ValueError:
            raise NotRegularError("a hexadecimal escape") from None

    def _class(self) -> Ranges:
        negated = self._take("^")
        members: list[tuple[int, int]] = []
        while not self._take("]"):
            low = self._member()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                high = self._member()
                if not isinstance(low, int) or not isinstance(high, int) or low > high:
                    raise NotRegularError("a class range")
                members.append((low, high))
            elif isinstance(low, int):
                members.append((low, low))
            else:
                members.extend(low)
        if not members:
            raise NotRegularError("an empty class")
        ranges = _normalized(members)
        return complement(ranges) if negated else ranges

    def _member(self) -> int | Ranges:
        character = self._next()
        if character == "\\":
            if self._peek() and self._peek() in _CLASSES:
                return _CLASSES[self._next()]
            return self._escape()
        # Engines give [, && and the like inside a class meanings of their own.
        if character in "[&~" or (character == "-" and self._peek() == "-"):
            raise NotRegularError("a class with set operations")
        return ord(character)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 4 or int(text) > _MOST_REPEATS:
        raise NotRegularError("a repeat count")
    return int(text)
