"""Pages of listings: where one ends and the next begins (AIP-158)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, TypeAlias

from .errors import InvalidArgumentError
from .tokens import decode_token, encode_token

PAGE_BYTES = 3 << 20
"""A page ends when it holds so many bytes: a client reads 4 MiB unless it was told otherwise."""

_MAX_INTEGER = 2**63 - 1

Position: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing with its parameters; the tokens of another one are refused.

    Attributes:
        name: What is listed.
        parameters: Everything that decides what the pages hold, but the size of a page.
        key: The kinds of the values that make a position.
    """

    name: str
    parameters: tuple[object, ...]
    key: tuple[type[str | int], ...]

    def token(self, position: Position) -> str:
        """The token of the page that begins after a position."""
        return encode_token(["p2", self._identity, *position])

    def position(self, token: str) -> Position | None:
        """The position that a token stands for, none for the empty token.

        Raises:
            InvalidArgumentError: This listing never gave the token.
        """
        if not token:
            return None
        match decode_token(token):
            case ["p2", self._identity, *values] if _is_position(values, self.key):
                return tuple(values)
        raise InvalidArgumentError.of(
            "page_token",
            "expected the next_page_token of a response to this very listing, got another text; "
            "only page_size may differ from page to page",
        )

    @property
    def _identity(self) -> str:
        packed = json.dumps([self.name, *self.parameters], default=str)
        return hashlib.sha256(packed.encode()).hexdigest()[:16]


def _is_position(values: list[Any], kinds: tuple[type[str | int], ...]) -> bool:
    return len(values) == len(kinds) and all(
        type(value) is kind and _can_be_compared(value)
        for value, kind in zip(values, kinds, strict=True)
    )


def _can_be_compared(value: str | int) -> bool:
    """Whether every store takes it: names are printable ASCII, integers have 64 bits."""
    if isinstance(value, int):
        return abs(value) <= _MAX_INTEGER
    return value.isascii() and value.isprintable()
