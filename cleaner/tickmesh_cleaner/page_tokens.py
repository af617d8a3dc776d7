"""Page tokens: opaque to callers, checked here."""

from __future__ import annotations

import base64
import binascii

from tickmesh_cleaner.domain.errors import InvalidArgumentError


def page_token(place: int | None) -> str:
    """The token of the page behind a place; empty when there is none."""
    return "" if place is None else base64.urlsafe_b64encode(str(place).encode()).decode()


def place_of(token: str) -> int | None:
    """The place behind which a page begins; None for the first page.

    Raises:
        InvalidArgumentError: The token was not made here.
    """
    if not token:
        return None
    try:
        return int(base64.urlsafe_b64decode(token.encode()).decode("ascii"))
    except (binascii.Error, ValueError):
        raise InvalidArgumentError(
            "page_token", "expected a token from an earlier response"
        ) from None
