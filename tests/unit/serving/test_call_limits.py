"""Calls under a limit: each ends at its own, by one timer, and nothing else is taken for it."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING

import pytest

from tickmesh_serving.call_limits import CallLimits

if TYPE_CHECKING:
    from collections.abc import Coroutine


class _Waits(selectors.DefaultSelector):
    """Counts the seconds its loop would wait, in place of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.seconds += timeout or 0.0
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    """Its time passes in waits alone: no pause of the machine reaches a limit."""

    def __init__(self) -> None:
        self._waits = _Waits()
        super().__init__(self._waits)

    def time(self) -> float:
        return self._waits.seconds


def run(main: Coroutine[object, object, None]) -> None:
    with asyncio.Runner(loop_factory=_Loop) as runner:
        runner.run(main)


async def outlast(limits: CallLimits, seconds: float) -> float:
    """How long a call that never ends by itself was let run."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    with pytest.raises(TimeoutError), limits.within(seconds):
        await asyncio.Event().wait()
    return loop.time() - began


def test_each_call_ends_at_its_own_limit_whatever_the_order_they_came_in() -> None:
    async def main() -> None:
        limits = CallLimits()
        wanted = [0.06, 0.02, 0.04, 0.02]
        took = await asyncio.gather(*(outlast(limits, seconds) for seconds in wanted))
        assert took == pytest.approx(wanted)

    run(main())


def test_a_call_that_ends_in_time_is_left_alone_and_so_is_its_task() -> None:
    async def main() -> None:
        limits = CallLimits()
        with limits.within(0.01):
            await asyncio.sleep(0)
        await outlast(limits, 0.03)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run(main())


def test_a_limit_still_holds_after_earlier_ones_have_passed() -> None:
    async def main() -> None:
        limits = CallLimits()
        long = asyncio.create_task(outlast(limits, 0.05))
        await outlast(limits, 0.01)
        assert await long == pytest.approx(0.05)

    run(main())


async def test_a_cancellation_from_outside_stays_one() -> None:
    limits = CallLimits()

    async def call() -> None:
        with limits.within(60.0):
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_error_of_a_call_is_passed_on() -> None:
    with pytest.raises(LookupError), CallLimits().within(60.0):
        raise LookupError
