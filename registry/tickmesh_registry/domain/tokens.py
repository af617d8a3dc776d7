"""Opaque tokens: where a watch resumes, and where a listing goes on."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import TypeVar

from .errors import InvalidArgumentError

Key = TypeVar("Key", str, int)


@dataclass(frozen=True, slots=True)
class WatchToken:
    """A position in the change log of one store.

    Attributes:
        epoch: The store epoch; another one means another history.
        revision: Everything up to it was seen.
    """

    epoch: str
    revision: int

    def encode(self) -> str:
        """The opaque text a client keeps."""
        return _encode(["w1", self.epoch, self.revision])

    @classmethod
    def decode(cls, text: str) -> WatchToken:
        """Read a token; raises InvalidArgumentError for anything a server never gave."""
        match _decode(text):
            case ["w1", str(epoch), int(revision)] if revision >= 0:
                return cls(epoch=epoch, revision=revision)
        raise InvalidArgumentError.of(
            "after_token", "expected the token of a watch response, got another text"
        )


def encode_page_token(listing: str, after: str | int) -> str:
    """The token of the page that begins after `after` in a listing.

    Args:
        listing: Names the listing with its filter; a token is good for no other.
        after: The last key of the previous page.
    """
    return _encode(["p1", listing, after])


def decode_page_token(text: str, listing: str, first: Key) -> Key:
    """Where to go on; `first` for the empty token. Raises InvalidArgumentError for others."""
    if not text:
        return first
    match _decode(text):
        case ["p1", of, after] if of == listing and isinstance(after, type(first)):
            return after
    raise InvalidArgumentError.of(
        "page_token",
        "expected the next_page_token of a response to this very listing, got another text",
    )


def _encode(value: list[str | int]) -> str:
    packed = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _decode(text: str) -> object:
    if len(text) > 4_096:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return None
