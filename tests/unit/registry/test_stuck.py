"""W13's clock: a write may take so long and no longer, and nothing else is taken for a timeout."""

from __future__ import annotations

import asyncio
import time

import pytest

from tickmesh_registry.stuck import WriteLimit, WriteTimeoutError

LIMIT_SECONDS = 0.02


async def write_for_ever(limit: WriteLimit) -> None:
    async with limit:
        limit.begin()
        await asyncio.Event().wait()


async def test_w13_a_write_that_outlasts_the_limit_ends_the_stream() -> None:
    with pytest.raises(WriteTimeoutError):
        await asyncio.wait_for(write_for_ever(WriteLimit(LIMIT_SECONDS)), 60)


async def test_w13_short_writes_and_long_waits_between_them_never_expire() -> None:
    loop = asyncio.get_running_loop()
    async with WriteLimit(LIMIT_SECONDS) as limit:
        end = loop.time() + 8 * LIMIT_SECONDS
        while loop.time() < end:
            limit.begin()
            await asyncio.sleep(0)
            limit.end()
            await asyncio.sleep(0)
        await asyncio.sleep(3 * LIMIT_SECONDS)  # nobody writes: a watch in which nothing happens


async def test_w13_a_process_that_stood_still_does_not_blame_its_client() -> None:
    async with WriteLimit(LIMIT_SECONDS) as limit:
        limit.begin()
        time.sleep(3 * LIMIT_SECONDS)  # noqa: ASYNC251 - nothing else in this process goes on either
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the timer comes first, then the news that the write is done
        limit.end()
        await asyncio.sleep(2 * LIMIT_SECONDS)


async def test_w13_a_process_that_stood_still_once_blames_a_client_that_takes_nothing() -> None:
    async def stream() -> None:
        async with WriteLimit(LIMIT_SECONDS) as limit:
            limit.begin()
            time.sleep(3 * LIMIT_SECONDS)  # noqa: ASYNC251 - as above
            await asyncio.Event().wait()

    with pytest.raises(WriteTimeoutError):
        await asyncio.wait_for(stream(), 60)


async def test_w13_a_write_is_timed_from_its_own_beginning() -> None:
    loop = asyncio.get_running_loop()
    began = 0.0

    async def stream() -> None:
        nonlocal began
        async with WriteLimit(LIMIT_SECONDS) as limit:
            await asyncio.sleep(LIMIT_SECONDS / 2)
            began = loop.time()
            limit.begin()
            await asyncio.Event().wait()

    with pytest.raises(WriteTimeoutError):
        await stream()
    assert loop.time() - began >= LIMIT_SECONDS * 0.9


async def test_what_was_cancelled_by_its_limit_can_be_awaited_further() -> None:
    with pytest.raises(WriteTimeoutError):
        await write_for_ever(WriteLimit(LIMIT_SECONDS))
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_a_cancellation_from_outside_stays_one() -> None:
    task = asyncio.create_task(write_for_ever(WriteLimit(60.0)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_the_error_of_a_write_is_passed_on() -> None:
    async def fail() -> None:
        async with WriteLimit(60.0) as limit:
            limit.begin()
            raise ConnectionError

    with pytest.raises(ConnectionError):
        await fail()
