"""Our clients' watches on a connection that is dead without saying so."""

from __future__ import annotations

import asyncio
import random
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest

from tests.chaos.fault_proxy import FaultProxy
from tickmesh.async_registry import AsyncRegistryClient
from tickmesh.registry import RegistryClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.support.registry_process import RegistryProcess
    from tickmesh.watch import WatchMessage

# Silence is three intervals, so the watch is back a few seconds after the cut, or some more on a
# busy machine. Without that, keepalive would find the connection dead after 80 s.
_BACK_SECONDS = 40.0


@pytest.fixture
async def proxy(registry: RegistryProcess) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(lambda: registry.address, rng=random.Random(1)) as proxy:
        yield proxy


async def test_w5_the_async_client_leaves_a_connection_that_fell_silent(proxy: FaultProxy) -> None:
    async with AsyncRegistryClient(proxy.address) as client:
        watch: AsyncIterator[WatchMessage] = client.watch(progress_seconds=1.0)
        async with aclosing(watch) as messages:  # type: ignore[type-var]
            await anext(messages)
            proxy.cut_silently()
            async with asyncio.timeout(_BACK_SECONDS):
                await anext(messages)
        assert proxy.dead_links == 1


async def test_w5_the_sync_client_leaves_a_connection_that_fell_silent(proxy: FaultProxy) -> None:
    client = RegistryClient(proxy.address)
    first, second = threading.Event(), threading.Event()

    def follow() -> None:
        for _ in client.watch(progress_seconds=1.0):
            (second if first.is_set() and proxy.dead_links else first).set()

    following = asyncio.create_task(asyncio.to_thread(follow))
    try:
        assert await asyncio.to_thread(first.wait, _BACK_SECONDS)
        proxy.cut_silently()
        assert await asyncio.to_thread(second.wait, _BACK_SECONDS)
        assert proxy.dead_links == 1
    finally:
        await asyncio.to_thread(client.close)
        await following
