"""What waits for a dataset's writer: how groups are cut, and when one waits for more messages."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest

from tests.support.ticks import SCHEMA, VERSION_1, admit, ticks
from tickmesh_tickstore.domain.limits import EngineLimits
from tickmesh_tickstore.domain.stamps import ANONYMOUS
from tickmesh_tickstore.engine.acknowledgement import AppendFuture
from tickmesh_tickstore.engine.columns import RowLayout
from tickmesh_tickstore.engine.group import (
    JOINED_ROWS,
    LARGE_ROWS,
    AppendWork,
    FlushWork,
    Sender,
)
from tickmesh_tickstore.engine.waiting import WaitingWork

LAYOUT = RowLayout.of(VERSION_1, SCHEMA)
SMALL = 600
LIMITS = EngineLimits(gathered_messages=512, gathering_seconds=0.005)


def work_of(rows: int = 1, *, size: int = SMALL) -> AppendWork:
    return AppendWork(
        Sender(LAYOUT, admit, ANONYMOUS), AppendFuture(), [ticks(rows)], [], rows, size
    )


def stream(waiting: WaitingWork, messages: int, *, rows: int = 1, size: int = SMALL) -> AppendWork:
    """So many messages of one stream."""
    work = work_of(rows, size=size)
    waiting.add(work)
    for _ in range(messages - 1):
        assert waiting.add_to(work, ticks(rows), 0, size)
    return work


@dataclass
class Producer:
    """Adds messages while the writer waits; its clock goes on by what is waited."""

    waiting: WaitingWork
    work: AppendWork
    messages_a_wait: int
    size: int = SMALL
    now: float = 0.0
    waits: list[float] = field(default_factory=list)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.waits.append(seconds)
        for _ in range(self.messages_a_wait):
            assert self.waiting.add_to(self.work, ticks(1), 0, self.size)

    def gather(self) -> None:
        self.waiting.gather(self.wait, now=lambda: self.now)


def test_a_group_of_small_messages_that_pour_in_grows() -> None:
    waiting = WaitingWork(LIMITS)
    producer = Producer(waiting, stream(waiting, 20), messages_a_wait=100)
    producer.gather()
    assert waiting.messages == 520
    assert len(waiting.take()) == 1
    assert waiting.messages == waiting.size == 0


def test_a_group_waits_no_longer_than_is_allowed() -> None:
    waiting = WaitingWork(LIMITS)
    producer = Producer(waiting, stream(waiting, 20), messages_a_wait=10)
    producer.gather()
    assert sum(producer.waits) == pytest.approx(LIMITS.gathering_seconds)
    assert waiting.messages < LIMITS.gathered_messages


def test_a_group_waits_no_longer_than_messages_pour_in() -> None:
    waiting = WaitingWork(LIMITS)
    producer = Producer(waiting, stream(waiting, 20), messages_a_wait=1)
    producer.gather()
    assert len(producer.waits) == 1


def test_streams_that_wait_for_what_they_sent_are_not_made_to_wait_longer() -> None:
    waiting = WaitingWork(LIMITS)
    last = [stream(waiting, 15) for _ in range(20)][-1]
    producer = Producer(waiting, last, messages_a_wait=100)
    producer.gather()
    assert producer.waits == []


def test_large_messages_and_other_work_wait_for_nothing() -> None:
    large = WaitingWork(LIMITS)
    producer = Producer(large, stream(large, 20, size=30_000), messages_a_wait=10, size=30_000)
    producer.gather()
    assert producer.waits == []

    flushed = WaitingWork(LIMITS)
    producer = Producer(flushed, stream(flushed, 20), messages_a_wait=100)
    flushed.add(FlushWork())
    producer.gather()
    assert producer.waits == []


def test_a_group_is_cut_by_rows_and_by_bytes_and_the_rest_waits_on() -> None:
    for limits in (EngineLimits(group_rows=4), EngineLimits(group_bytes=4 * SMALL)):
        waiting = WaitingWork(limits)
        works = [work_of(2, size=2 * SMALL) for _ in range(5)]
        for work in works:
            waiting.add(work)
        assert waiting.take() == works[:2]
        assert [work.taken for work in works] == [True, True, False, False, False]
        assert (len(waiting), waiting.messages, waiting.size) == (3, 3, 6 * SMALL)
        assert not waiting.add_to(works[0], ticks(1), 0, SMALL)


def test_messages_are_put_behind_others_up_to_every_bound() -> None:
    limits = EngineLimits(group_bytes=3 * SMALL, waiting_bytes=5 * SMALL)
    waiting = WaitingWork(limits)
    stream(waiting, 3)
    assert not waiting.add_to(work_of(), ticks(1), 0, 3 * SMALL), "more than may wait"
    full = stream(waiting, 2)
    assert not waiting.has_room(1)
    assert not waiting.add_to(full, ticks(1), 0, SMALL)

    roomy = WaitingWork(EngineLimits())
    assert not roomy.add_to(work_of(LARGE_ROWS), ticks(1), 0, SMALL), "large ones are not joined"
    assert not roomy.add_to(work_of(), ticks(LARGE_ROWS), 0, SMALL)
    joined = work_of(LARGE_ROWS - 1)
    for rows in itertools.repeat(LARGE_ROWS - 1, JOINED_ROWS // (LARGE_ROWS - 1) - 1):
        assert roomy.add_to(joined, ticks(rows), 0, SMALL)
    assert not roomy.add_to(joined, ticks(LARGE_ROWS - 1), 0, SMALL)


def test_the_first_work_has_room_whatever_its_size() -> None:
    waiting = WaitingWork(EngineLimits(waiting_bytes=1))
    assert waiting.has_room(1 << 30)
    waiting.add(work_of())
    assert not waiting.has_room(1)


def test_what_is_cleared_takes_no_message_any_more() -> None:
    waiting = WaitingWork(LIMITS)
    work = stream(waiting, 3)
    assert waiting.clear() == [work]
    assert not waiting.add_to(work, ticks(1), 0, SMALL)
    assert (len(waiting), waiting.messages, waiting.size) == (0, 0, 0)
