"""Strings with wildcards."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pattern:
    """A string in which `*` may stand for any run of characters.

    Attributes:
        pieces: The literal texts between the wildcards; a single one means no wildcard.
    """

    pieces: tuple[str, ...]

    @classmethod
    def of(cls, text: str) -> Pattern:
        r"""Read a string as a filter writes it: `*` is a wildcard, `\` takes away any meaning."""
        pieces = [""]
        escaped = False
        for character in text:
            if escaped:
                pieces[-1] += character
                escaped = False
            elif character == "\\":
                escaped = True
            elif character == "*":
                pieces.append("")
            else:
                pieces[-1] += character
        return cls(tuple(pieces))

    @property
    def literal(self) -> str | None:
        """The string itself when there is no wildcard."""
        return self.pieces[0] if len(self.pieces) == 1 else None

    @property
    def is_anything(self) -> bool:
        """Whether it is nothing but wildcards."""
        return len(self.pieces) > 1 and not any(self.pieces)

    def matches(self, text: str) -> bool:
        """Say whether the whole text fits; the leftmost fit of each piece decides."""
        first, *middle, last = (*self.pieces, None) if len(self.pieces) == 1 else self.pieces
        if last is None:
            return text == first
        if not text.startswith(str(first)):
            return False
        position = len(str(first))
        for piece in middle:
            found = text.find(str(piece), position)
            if found < 0:
                return False
            position = found + len(str(piece))
        return len(text) - len(last) >= position and text.endswith(last)

    def is_in(self, text: str) -> bool:
        """Say whether some part of the text fits, whatever the case of letters."""
        widened = Pattern(("", *(piece.casefold() for piece in self.pieces), ""))
        return widened.matches(text.casefold())
