"""Tickets: a forged, changed or expired one is not redeemed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickmesh_serving.tickets import KEY_BYTES, TicketError, TicketSigner, load_or_make_key

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))


class SettableClock:
    def __init__(self, now_ns: int) -> None:
        self.now = now_ns

    def now_ns(self) -> int:
        return self.now

    def monotonic_ns(self) -> int:
        return self.now


@given(payload=st.binary(max_size=200), bit=st.integers(min_value=0), other=st.binary(min_size=32))
def test_only_the_very_bytes_that_were_signed_are_redeemed(
    payload: bytes, bit: int, other: bytes
) -> None:
    signer = TicketSigner(KEY, clock=SettableClock(10))
    token = signer.sign(payload, expires_ns=20)
    assert signer.open(token) == payload

    position = bit % (len(token) * 8)
    changed = bytearray(token)
    changed[position // 8] ^= 1 << (position % 8)
    for forged in (bytes(changed), token[:-1], token + b"\0", payload, b"", other):
        with pytest.raises(TicketError) as caught:
            signer.open(forged)
        assert caught.value.reason == "TICKET_INVALID"


def test_ticket_of_another_key_is_not_redeemed() -> None:
    token = TicketSigner(b"k" * KEY_BYTES).sign(b"p", expires_ns=2**62)
    with pytest.raises(TicketError, match="get_flight_info"):
        TicketSigner(KEY).open(token)


def test_ticket_is_good_until_its_instant_and_not_at_it() -> None:
    clock = SettableClock(19)
    signer = TicketSigner(KEY, clock=clock)
    token = signer.sign(b"p", expires_ns=20)
    assert signer.open(token) == b"p"
    clock.now = 20
    with pytest.raises(TicketError) as caught:
        signer.open(token)
    assert caught.value.reason == "TICKET_EXPIRED"


def test_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        TicketSigner(b"short")


def test_a_key_is_made_once_so_that_tickets_outlive_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "store" / "ticket.key"
    token = TicketSigner(load_or_make_key(path)).sign(b"p", expires_ns=2**62)
    assert TicketSigner(load_or_make_key(path)).open(token) == b"p"
    assert path.stat().st_mode & 0o077 == 0  # only its owner reads it
