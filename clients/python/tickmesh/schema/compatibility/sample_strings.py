"""A few strings that match a regular expression: seeds for the witness search.

Nothing depends on them being right: the row oracle judges every seed. Look-around and
back-references are skipped, so a seed may fail to match.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice, product

_MOST = 8
_LONGEST = 300
_CLASSES = {"d": "05", "w": "aZ_0", "s": " ", "D": "a", "W": "-", "S": "a"}
_CONTROL = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}


@lru_cache(maxsize=1024)
def sample_strings(pattern: str) -> tuple[str, ...]:
    """Return up to eight strings that should match a pattern, shortest repetitions first."""
    try:
        samples = _Sampler(pattern).alternatives()
    except (IndexError, ValueError):
        return ()
    return tuple(dict.fromkeys(sample[:_LONGEST] for sample in samples))[:_MOST]


class _Sampler:
    """A recursive-descent reader of ECMA-262 patterns that yields examples as it reads."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        character = self._text[self._at]
        self._at += 1
        return character

    def alternatives(self) -> list[str]:
        found = self._sequence()
        while self._peek() == "|":
            self._take()
            found = [*found[: _MOST // 2], *self._sequence()]
        return found[:_MOST]

    def _sequence(self) -> list[str]:
        sequences = [""]
        while self._peek() not in ("", "|", ")"):
            atoms = self._repeated(self._atom())
            joined = (head + tail for tail, head in product(atoms, sequences))
            sequences = list(islice(dict.fromkeys(joined), _MOST))
        return sequences

    def _repeated(self, atoms: list[str]) -> list[str]:
        mark = self._peek()
        if mark in ("*", "+", "?"):
            self._take()
            low, high = {"*": (0, 3), "+": (1, 3), "?": (0, 1)}[mark]
        elif mark == "{" and "}" in self._text[self._at :]:
            end = self._text.index("}", self._at)
            first, several, last = self._text[self._at + 1 : end].partition(",")
            self._at = end + 1
            low = int(first)
            high = int(last) if last else low + 2 if several else low
        else:
            return atoms
        if self._peek() == "?":
            self._take()
        counts = dict.fromkeys((low, high, min(low + 1, high)))
        spread = [atom * min(count, _LONGEST) for count in counts for atom in atoms]
        return list(dict.fromkeys(spread))[:_MOST]

    def _atom(self) -> list[str]:
        character = self._take()
        if character == "(":
            return self._group()
        if character == "[":
            return self._class()
        if character == "\\":
            return self._escape()
        if character in "^$":
            return [""]
        return ["a", "Z"] if character == "." else [character]

    def _group(self) -> list[str]:
        silent = False
        if self._peek() == "?":
            self._take()
            kind = self._take()
            if kind == "<":
                silent = self._peek() in ("=", "!")
                self._at = self._text.index(">", self._at) + 1 if not silent else self._at + 1
            else:
                silent = kind in "=!"
        inner = self.alternatives()
        self._take()
        return [""] if silent else inner

    def _escape(self) -> list[str]:
        character = self._take()
        if character in _CLASSES:
            return list(_CLASSES[character])
        if character in "bB":
            return [""]
        if character == "u" and self._text[self._at : self._at + 4].isalnum():
            code = int(self._text[self._at : self._at + 4], 16)
            self._at += 4
            return [chr(code)]
        return [_CONTROL.get(character, character)]

    def _class(self) -> list[str]:
        negated = self._peek() == "^"
        if negated:
            self._take()
        members: list[str] = []
        while self._peek() != "]":
            members += self._escape() if self._take() == "\\" else [self._text[self._at - 1]]
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._take()
                last = self._take()
                members.append(self._escape()[0] if last == "\\" else last)
        self._take()
        if negated:
            return [each for each in ("a", "0", "-", "Z", " ") if each not in members][:2]
        return list(dict.fromkeys(members))[:3]
