"""Tickets: signed, expiring, good at any worker that holds the key, opaque to clients."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from tickmesh.api.tickstore.v1 import commands_pb2
from tickmesh_serving.tickets import KEY_BYTES
from tickmesh_tickstore.commands import pack, unpack
from tickmesh_tickstore.errors import InvalidRequestError, TicketExpiredError, TicketInvalidError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from tickmesh_serving.clock import Clock
    from tickmesh_tickstore.pinned_reads import Pin


class TicketOffice:
    """Issues tickets and takes them back."""

    def __init__(self, key: bytes, *, clock: Clock, lifetime_seconds: float) -> None:
        """Keeps a key of 32 bytes or more, shared by all workers of a store.

        Raises:
            ValueError: the key is shorter.
        """
        if len(key) < KEY_BYTES:
            raise ValueError(f"a ticket key has at least {KEY_BYTES} bytes; it had {len(key)}")
        self._key = key
        self._key_id = hashlib.sha256(b"tickmesh ticket key" + key).hexdigest()[:16]
        self._clock = clock
        self._lifetime_ns = round(lifetime_seconds * 1e9)

    def expiry_ns(self) -> int:
        """When a ticket issued now expires, nanoseconds since the epoch."""
        return self._clock.now_ns() + self._lifetime_ns

    def issue(
        self,
        read: commands_pb2.ReadCommand,
        planned_range: bytes,
        *,
        principal: str,
        expires_at_ns: int,
    ) -> bytes:
        """A ticket for one range of a planned read."""
        return self._signed(
            commands_pb2.TicketPayload(
                read=read, range=planned_range, expires_at_ns=expires_at_ns, principal=principal
            )
        )

    def issue_query(
        self,
        query: Message,
        *,
        pins: Mapping[str, Pin],
        principal: str,
        expires_at_ns: int,
    ) -> bytes:
        """A ticket for the whole answer of a query over pinned snapshots."""
        payload = commands_pb2.TicketPayload(
            expires_at_ns=expires_at_ns,
            principal=principal,
            revisions={dataset: pin.revision for dataset, pin in pins.items()},
            dataset_ids={dataset: pin.dataset_id for dataset, pin in pins.items()},
            reader_versions={
                dataset: pin.reader_version for dataset, pin in pins.items() if pin.reader_version
            },
        )
        payload.query.Pack(query)
        return self._signed(payload)

    def open(self, ticket: bytes, *, principal: str) -> commands_pb2.TicketPayload:
        """What a ticket is good for.

        Raises:
            TicketInvalidError: forged, malformed, of another key or for another principal.
            TicketExpiredError: past its time.
        """
        try:
            signed = unpack(ticket, commands_pb2.SignedTicket)
        except InvalidRequestError:
            raise _invalid("is none of this store's") from None
        if signed.key_id != self._key_id or not hmac.compare_digest(
            signed.signature, self._signature(signed.payload)
        ):
            raise _invalid("was not signed by this store")
        try:
            payload = commands_pb2.TicketPayload.FromString(signed.payload)
        except DecodeError:
            raise _invalid("is malformed") from None
        if payload.principal != principal:
            raise _invalid("was made for another principal")
        if self._clock.now_ns() >= payload.expires_at_ns:
            raise TicketExpiredError(
                "The ticket has expired; ask get_flight_info again and redeem its tickets within "
                f"{self._lifetime_ns / 1e9:g} seconds.",
                metadata={"expiredAtNs": str(payload.expires_at_ns)},
            )
        return payload

    def _signed(self, payload: commands_pb2.TicketPayload) -> bytes:
        body = payload.SerializeToString()
        return pack(
            commands_pb2.SignedTicket(
                payload=body, signature=self._signature(body), key_id=self._key_id
            )
        )

    def _signature(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")


def _invalid(what: str) -> TicketInvalidError:
    return TicketInvalidError(f"The ticket {what}; ask get_flight_info for one.")
