"""Health: NOT_SERVING until told otherwise, every change once, watches end with the server."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from grpc_health.v1 import health_pb2

from tickmesh.errors import NotFoundError, UnavailableError
from tickmesh_serving.health import HealthServicer

Response = health_pb2.HealthCheckResponse
NO_CONTEXT = cast("Any", None)


def ask(name: str) -> health_pb2.HealthCheckRequest:
    return health_pb2.HealthCheckRequest(service=name)


async def test_everything_is_not_serving_until_it_is_said_to_serve() -> None:
    health = HealthServicer(["a.A"])
    for name in ("", "a.A"):
        assert (await health.Check(ask(name), NO_CONTEXT)).status == Response.NOT_SERVING
    health.set_serving("a.A", serving=True)
    assert (await health.Check(ask("a.A"), NO_CONTEXT)).status == Response.SERVING
    assert (await health.Check(ask(""), NO_CONTEXT)).status == Response.NOT_SERVING


async def test_check_of_an_unknown_service_is_not_found_and_names_the_known() -> None:
    health = HealthServicer(["a.A"])
    with pytest.raises(NotFoundError, match=r"a\.A"):
        await health.Check(ask("b.B"), NO_CONTEXT)


async def test_list_answers_all() -> None:
    health = HealthServicer(["a.A"])
    health.set_all(serving=True)
    listed = await health.List(health_pb2.HealthListRequest(), NO_CONTEXT)
    assert {name: state.status for name, state in listed.statuses.items()} == {
        "": Response.SERVING,
        "a.A": Response.SERVING,
    }


async def test_watch_sends_each_change_once_and_ends_when_the_server_goes_down() -> None:
    health = HealthServicer(["a.A"])
    seen: asyncio.Queue[int] = asyncio.Queue()

    async def watch() -> None:
        async for response in health.Watch(ask("a.A"), NO_CONTEXT):
            seen.put_nowait(response.status)

    watching = asyncio.create_task(watch())
    assert await seen.get() == Response.NOT_SERVING
    health.set_serving("", serving=True)  # of another service: not told
    health.set_serving("a.A", serving=True)
    assert await seen.get() == Response.SERVING
    health.set_all(serving=False)
    health.end_watches()
    assert await seen.get() == Response.NOT_SERVING
    with pytest.raises(UnavailableError):
        await watching
    assert seen.empty()


async def test_watch_of_an_unknown_service_says_so_and_waits() -> None:
    health = HealthServicer([])
    watch = health.Watch(ask("late.L"), NO_CONTEXT)
    assert (await anext(watch)).status == Response.SERVICE_UNKNOWN
    health.set_serving("late.L", serving=True)
    assert (await anext(watch)).status == Response.SERVING


async def test_slow_watcher_delays_nobody() -> None:
    health = HealthServicer(["a.A"])
    stuck = health.Watch(ask("a.A"), NO_CONTEXT)
    await anext(stuck)  # and never reads again
    for serving in (True, False, True):
        health.set_serving("a.A", serving=serving)
    assert (await health.Check(ask("a.A"), NO_CONTEXT)).status == Response.SERVING
    assert (await anext(stuck)).status == Response.SERVING


async def test_a_change_is_told_once_every_watcher_has_been_written_to() -> None:
    health = HealthServicer(["a.A", "b.B"])
    health.set_all(serving=True)
    await health.told()  # nobody watches
    watches = [health.Watch(ask(name), NO_CONTEXT) for name in ("a.A", "b.B")]
    nexts = []
    for watch in watches:
        await anext(watch)
        nexts.append(asyncio.ensure_future(anext(watch)))
    await health.told()
    health.set_all(serving=False)
    telling = asyncio.create_task(health.told())
    for number, watch in enumerate(watches):
        assert (await nexts[number]).status == Response.NOT_SERVING
        assert not telling.done()  # an answer counts when gRPC has written it and comes for more
        nexts[number] = asyncio.ensure_future(anext(watch))
    await telling


async def test_a_watcher_that_does_not_read_holds_no_telling_up() -> None:
    health = HealthServicer(["a.A"])
    stuck = health.Watch(ask("a.A"), NO_CONTEXT)
    await anext(stuck)
    async with asyncio.timeout(30):
        await health.told()
