"""The ring keeps the newest revisions within its bounds, and only whole ones."""

from __future__ import annotations

import pytest

from tests.support.registry_values import ACTOR
from tickmesh_registry.domain.changes import Change, ChangeKind, Revision
from tickmesh_registry.ring import EncodedRevision, Ring


def revision(number: int, *, size: int = 10) -> EncodedRevision:
    change = Change(
        revision=number,
        sequence=0,
        kind=ChangeKind.POLICY_CHANGED,
        subject="",
        schema=None,
        previous=None,
        action=None,
        report=None,
        settings=None,
        rejected_text=None,
        actor=ACTOR,
        changed_at_ns=0,
    )
    return EncodedRevision(
        Revision(number, (change,)), lambda _change, *, include_previous: b"x" * size
    )


def numbers(ring: Ring, cursor: int, *, limit: int = 10_000) -> list[int]:
    return [entry.revision for entry in ring.since(cursor, limit=limit)]


def test_the_newest_revisions_stay_and_the_oldest_go() -> None:
    ring = Ring(max_revisions=3, max_bytes=1_000)
    for number in range(1, 6):
        ring.append(revision(number))
    assert (ring.floor, ring.head) == (2, 5)
    assert numbers(ring, 2) == [3, 4, 5]
    assert numbers(ring, 4) == [5]
    assert numbers(ring, 5) == []
    assert numbers(ring, 9) == []
    assert numbers(ring, 2, limit=2) == [3, 4]


def test_bytes_are_bounded_but_the_newest_revision_always_stays() -> None:
    ring = Ring(max_revisions=100, max_bytes=100)
    for number in range(1, 21):
        ring.append(revision(number))
    assert ring.size_bytes == 100
    assert ring.floor == 10
    ring.append(revision(21, size=5_000))
    assert numbers(ring, 20) == [21]
    assert (ring.floor, ring.size_bytes) == (20, 5_000)


def test_a_long_life_keeps_the_arithmetic_right() -> None:
    ring = Ring(max_revisions=7, max_bytes=10_000)
    for number in range(1, 5_001):
        ring.append(revision(number))
    assert numbers(ring, 4_993) == list(range(4_994, 5_001))


def test_a_gap_begins_the_ring_anew() -> None:
    ring = Ring(max_revisions=7, max_bytes=10_000)
    ring.append(revision(1))
    ring.append(revision(5))
    assert (ring.floor, ring.head) == (4, 5)
    assert numbers(ring, 4) == [5]


def test_a_cursor_below_the_floor_is_a_defect_of_the_caller() -> None:
    ring = Ring(max_revisions=1, max_bytes=1_000)
    ring.append(revision(1))
    ring.append(revision(2))
    with pytest.raises(AssertionError):
        ring.since(0, limit=1)
