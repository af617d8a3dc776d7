"""Names for calls, errors, jobs and producers, passed in so that tests own them."""

from __future__ import annotations

import secrets
from typing import Protocol


class IdGenerator(Protocol):
    """A source of identifiers."""

    def new_id(self) -> str:
        """Return an identifier that no other call returned: at most 64 of `[0-9A-Za-z_-]`."""
        ...


class RandomIds:
    """128 random bits in hexadecimal."""

    def new_id(self) -> str:
        """Return an identifier of 32 characters."""
        return secrets.token_hex(16)
