"""Jobs share the turns at work: none without end keeps the others from ending."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tickmesh_cleaner.control import HaltedError, JobControl
from tickmesh_cleaner.domain.job import JobRequest
from tickmesh_cleaner.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_SECONDS = 30.0


def _are_waiting(turns: Turns, count: int) -> bool:
    return len(turns) == count


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_a_job_without_end_lets_a_small_one_end() -> None:
    turns = Turns(1, slice_seconds=0.0)
    endless, at_work = JobControl(), threading.Event()

    def work_on() -> None:
        with suppress(HaltedError), endless.at_work(turns):
            while True:
                at_work.set()
                endless.checkpoint()

    thread = threading.Thread(target=work_on)
    thread.start()
    assert at_work.wait(PATIENCE_SECONDS)
    for _ in range(3):
        with JobControl().at_work(turns):
            pass
    endless.request(JobRequest.CANCEL)
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_a_job_that_waits_takes_nobodys_turn() -> None:
    """While one waits for its source, its sink or the registry, others work."""
    turns = Turns(1)
    waiting = JobControl()
    with waiting.at_work(turns):
        with waiting.idle(), JobControl().at_work(turns):
            pass
        assert not turns.asked_for


def test_turns_are_given_in_the_order_they_were_asked_for() -> None:
    turns = Turns(1)
    order: list[int] = []

    def work(number: int) -> None:
        with JobControl().at_work(turns):
            order.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    with JobControl().at_work(turns):
        for place, thread in enumerate(threads):
            thread.start()
            until(partial(_are_waiting, turns, place + 1))
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert order == [0, 1, 2, 3]


def test_a_job_that_is_cancelled_in_line_gives_up_its_place() -> None:
    turns = Turns(1)
    with JobControl().at_work(turns):
        with pytest.raises(HaltedError), JobControl(JobRequest.CANCEL).at_work(turns):
            pytest.fail("it had a turn")
        assert not turns.asked_for
    with JobControl().at_work(turns):
        pass
