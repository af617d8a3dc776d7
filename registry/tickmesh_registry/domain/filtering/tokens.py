"""A filter cut into tokens, each with its place in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from .mistake import mistake

MAX_LENGTH = 4_096
"""Longest filter, in characters."""

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:[Zz]|[+-]\d\d:\d\d)?")
_COMPARATOR = re.compile(r"<=|>=|!=|[<>=:]")
_WORD = re.compile(r"""[^\s()"'<>=!:,]+""")
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)
_SPACE = re.compile(r"\s+")


class TokenKind(StrEnum):
    """What a token is."""

    WORD = "a word"
    QUOTED = "a quoted string"
    COMPARATOR = "a comparator"
    OPEN = "'('"
    CLOSE = "')'"
    END = "the end"


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        kind: What it is.
        text: As written; without its quotes, escapes as they stand.
        position: Of its first character, from 0.
        end: Behind its last character.
    """

    kind: TokenKind
    text: str
    position: int
    end: int

    def __str__(self) -> str:
        """The token as messages show it."""
        return "the end" if self.kind is TokenKind.END else repr(self.text)


def tokens_of(text: str) -> list[Token]:
    """Cut a filter into tokens, END the last.

    Raises:
        InvalidArgumentError: The filter is too long, or a string does not end.
    """
    if len(text) > MAX_LENGTH:
        raise mistake(
            MAX_LENGTH, f"expected a filter of at most {MAX_LENGTH} characters, got {len(text)}"
        )
    if "\0" in text:
        raise mistake(text.index("\0"), "expected text without NUL characters")
    found: list[Token] = []
    position = 0
    while position < len(text):
        space = _SPACE.match(text, position)
        if space is not None:
            position = space.end()
            continue
        token = _token_at(text, position)
        found.append(token)
        position = token.end
    return [*found, Token(TokenKind.END, "", len(text), len(text))]


def _token_at(text: str, position: int) -> Token:
    for kind, pattern in (
        (TokenKind.WORD, _INSTANT),
        (TokenKind.COMPARATOR, _COMPARATOR),
        (TokenKind.WORD, _WORD),
    ):
        match = pattern.match(text, position)
        if match is not None:
            return Token(kind, match[0], position, match.end())
    character = text[position]
    if character in "()":
        kind = TokenKind.OPEN if character == "(" else TokenKind.CLOSE
        return Token(kind, character, position, position + 1)
    quoted = _QUOTED.match(text, position)
    if quoted is not None:
        return Token(TokenKind.QUOTED, quoted[0][1:-1], position, quoted.end())
    if character in "\"'":
        raise mistake(position, f"the string that begins with {character} does not end")
    raise mistake(position, f"{character!r} has no place in a filter; quote it within a string")
