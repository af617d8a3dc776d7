"""Opaque tokens, and the one that says where a watch resumes."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from .errors import InvalidArgumentError


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
        return encode_token(["w1", self.epoch, self.revision])

    @classmethod
    def decode(cls, text: str) -> WatchToken:
        """Read a token; raises InvalidArgumentError for anything a server never gave."""
        match decode_token(text):
            case ["w1", str(epoch), int(revision)] if revision >= 0:
                return cls(epoch=epoch, revision=revision)
        raise InvalidArgumentError.of(
            "after_token", "expected the token of a watch response, got another text"
        )


def encode_token(value: list[str | int]) -> str:
    """Pack a value into an opaque text."""
    packed = json.dumps(value, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def decode_token(text: str) -> Any:
    """Unpack what `encode_token` made; none for anything else."""
    if len(text) > 4_096:
        return None
    try:
        return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return None
