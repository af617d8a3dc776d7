"""Signed tickets: a bearer may redeem one until it expires, and can make none of their own.

A token is `version (1) | expires_ns (8, big-endian) | payload | HMAC-SHA256 of all before (32)`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import struct
from typing import TYPE_CHECKING

from tickmesh_serving.clock import Clock, SystemClock

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32
"""The least that a signing key may have."""

_HEADER = struct.Struct(">Bq")
_VERSION = 1
_DIGEST_BYTES = hashlib.sha256().digest_size


class TicketError(Exception):
    """A ticket that is not redeemed.

    Attributes:
        reason: `TICKET_INVALID` or `TICKET_EXPIRED`.
        message: what to do.
        metadata: nothing; what a forger sent is not repeated.
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.metadata: dict[str, str] = {}


class TicketSigner:
    """Makes tickets and redeems them. All workers of a service share one key."""

    def __init__(self, key: bytes, *, clock: Clock | None = None) -> None:
        """Take a key of at least 32 bytes.

        Raises:
            ValueError: the key is shorter.
        """
        if len(key) < KEY_BYTES:
            raise ValueError(f"expected a key of at least {KEY_BYTES} bytes, was {len(key)}")
        self._key = key
        self._clock = clock or SystemClock()

    def sign(self, payload: bytes, *, expires_ns: int) -> bytes:
        """Return a ticket for a payload, good until an instant (ns UTC)."""
        body = _HEADER.pack(_VERSION, expires_ns) + payload
        return body + self._digest(body)

    def open(self, token: bytes) -> bytes:
        """Return the payload of a ticket.

        Raises:
            TicketError: it was not signed with this key, was changed, or has expired.
        """
        body, digest = token[:-_DIGEST_BYTES], token[-_DIGEST_BYTES:]
        if len(body) < _HEADER.size or not hmac.compare_digest(digest, self._digest(body)):
            raise TicketError(
                "expected a ticket of this service, was none; ask get_flight_info for one",
                reason="TICKET_INVALID",
            )
        version, expires_ns = _HEADER.unpack_from(body)
        if version != _VERSION:
            raise TicketError(
                "the ticket is of another version; ask get_flight_info for one",
                reason="TICKET_INVALID",
            )
        if self._clock.now_ns() >= expires_ns:
            raise TicketError(
                "the ticket has expired; ask get_flight_info for a new one",
                reason="TICKET_EXPIRED",
            )
        return body[_HEADER.size :]

    def _digest(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, "sha256")


def load_or_make_key(path: Path) -> bytes:
    """Return the key kept in a file, made with the first start: tickets outlive a restart.

    Workers of one service that are to redeem each other's tickets are given the same file.

    Raises:
        OSError: the file can be neither read nor made.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        key = secrets.token_bytes(KEY_BYTES)
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_suffix(".new")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
    return key
