"""The registry's edge: lookups, registrations, and commit to delivery.

Client and server share the machine. Baselines are bare grpc.aio servers that send as many bytes.
Answers are taken as bytes on both sides, so that the servers are compared and not the decoding.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack
from itertools import count
from typing import TYPE_CHECKING, Any

import grpc.aio
import uvloop

from bench._measure import (
    SECONDS,
    at_least,
    at_most,
    medians,
    quantile,
    ratio_at_least,
    ratio_at_most,
    report,
    timed,
)
from bench._servers import baseline_server, mesh, scratch
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb
from tickmesh.api.registry.v1 import selector_pb2
from tickmesh.registry import RegistryClient

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    _Arrival = tuple[int, bytes]
    """When a message came, ns since the epoch, and the message."""

BENCH = "registry"
_IN_FLIGHT = 64
_ROUND_SECONDS = min(2.0, SECONDS / 4)
_LATENCIES = 500
_WATCHERS = 100
_EVENTS_PER_SECOND = 10.0
_EVENTS_A_ROUND = min(50, max(5, int(SECONDS / 2 * _EVENTS_PER_SECOND)))
_PATIENCE_SECONDS = 30.0
_CACHED_CALLS = 20_000
_SERVICE = "/tickmesh.api.registry.v1.SchemaRegistryService"


def main() -> None:
    """Measure against one registry process on embedded defaults."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        running = stack.enter_context(mesh(folder, "registry"))
        address = running.addresses["registry"]["grpc"]
        loop = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        edge = _Edge(loop, address)
        stack.callback(edge.close)
        edge.register("bench.lookup", 0)
        _measure_cache(address)
        answer_bytes = len(edge.look_up())
        event_bytes = edge.event_bytes()
        bare = _Bare(
            loop,
            stack.enter_context(
                baseline_server("_grpc_baseline", answer_bytes, event_bytes, _EVENTS_PER_SECOND)
            ),
        )
        stack.callback(bare.close)
        _measure_lookups(edge, bare)
        _measure_registrations(edge)
        _measure_delivery(edge, bare)


def schema_text(number: int) -> str:
    """A closed record of 20 columns; the number makes texts differ, not meanings."""
    properties: dict[str, object] = {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"type": "string"},
        "price": {"type": "number", "exclusiveMinimum": 0},
        **{f"field_{column}": {"type": "integer"} for column in range(17)},
    }
    return json.dumps(
        {
            "title": f"Trades {number}",
            "type": "object",
            "properties": properties,
            "required": ["ts", "symbol", "price"],
            "additionalProperties": False,
        }
    )


class _Server:
    """A channel on a loop that runs only while something is measured."""

    def __init__(self, loop: asyncio.Runner, address: str) -> None:
        self._loop = loop
        self._channel = loop.run(_open(address))

    def close(self) -> None:
        self._loop.run(self._channel.close())

    def _rate(self, call: Callable[[], Awaitable[object]], seconds: float) -> float:
        """How many calls end in a second, 64 in flight."""

        async def measure() -> float:
            started = time.perf_counter()
            end, done = started + seconds, 0

            async def work() -> None:
                nonlocal done
                while time.perf_counter() < end:
                    await call()
                    done += 1

            await asyncio.gather(*(work() for _ in range(_IN_FLIGHT)))
            return done / (time.perf_counter() - started)

        return self._loop.run(measure())


class _Edge(_Server):
    """The registry."""

    def __init__(self, loop: asyncio.Runner, address: str) -> None:
        super().__init__(loop, address)
        self._get: Any = self._channel.unary_unary(f"{_SERVICE}/GetSchema")
        self._register: Any = self._channel.unary_unary(f"{_SERVICE}/RegisterSchema")
        self._watch: Any = self._channel.unary_stream(f"{_SERVICE}/Watch")
        self._numbers = count(1)
        self._wanted = pb.GetSchemaRequest(
            subject=selector_pb2.SubjectSelector(
                subject="bench.lookup", latest=selector_pb2.LatestSelector()
            )
        ).SerializeToString()

    def look_up(self) -> bytes:
        async def call() -> bytes:
            answer: bytes = await self._get(self._wanted)
            return answer

        return self._loop.run(call())

    def lookups_per_second(self) -> float:
        return self._rate(lambda: self._get(self._wanted), _ROUND_SECONDS)

    def lookup_seconds(self) -> list[float]:
        """One call after the other."""

        async def measure() -> list[float]:
            took = []
            for _ in range(_LATENCIES):
                started = time.perf_counter()
                await self._get(self._wanted)
                took.append(time.perf_counter() - started)
            return took

        return self._loop.run(measure())

    def register(self, subject: str, number: int) -> None:
        self._loop.run(self._register_once(subject, number))

    def registrations_per_second(self) -> float:
        return self._rate(self._register_next, _ROUND_SECONDS)

    async def _register_next(self) -> None:
        number = next(self._numbers)
        await self._register_once(f"bench.register.{number}", number)

    async def _register_once(self, subject: str, number: int) -> None:
        request = pb.RegisterSchemaRequest(subject=subject, text=schema_text(number))
        await self._register(request.SerializeToString())

    def event_bytes(self) -> int:
        """The size of the message that announces a registration."""
        [(_, message)] = self._loop.run(self._deliver(watchers=1, events=1))
        return len(message)

    def deliveries(self) -> list[float]:
        """Seconds from the instant of each change, before its commit, to each watcher."""
        took = [
            (arrived_ns - event.changed_at.ToNanoseconds()) / 1e9
            for arrived_ns, message in self._loop.run(
                self._deliver(watchers=_WATCHERS, events=_EVENTS_A_ROUND)
            )
            for event in pb.WatchResponse.FromString(message).events
        ]
        assert len(took) == _WATCHERS * _EVENTS_A_ROUND, f"{len(took)} deliveries"
        return took

    async def _deliver(self, *, watchers: int, events: int) -> list[_Arrival]:
        request = pb.WatchRequest().SerializeToString()
        watching = _Watchers(lambda: self._watch(request), watchers)
        await watching.started()
        begun = time.perf_counter()
        for number in range(events):
            await asyncio.sleep(begun + number / _EVENTS_PER_SECOND - time.perf_counter())
            await self._register_next()
        return await watching.received(events)


class _Bare(_Server):
    """A server that decides nothing."""

    def __init__(self, loop: asyncio.Runner, address: str) -> None:
        super().__init__(loop, address)
        self._echo: Any = self._channel.unary_unary("/bare/Echo")
        self._fan: Any = self._channel.unary_stream("/bare/Fan")

    def echoes_per_second(self) -> float:
        return self._rate(lambda: self._echo(b"x"), _ROUND_SECONDS)

    def deliveries(self) -> list[float]:
        """Seconds from the instant each event was made to each watcher."""

        async def deliver() -> list[_Arrival]:
            watching = _Watchers(lambda: self._fan(b""), _WATCHERS)
            await watching.started()
            return await watching.received(_EVENTS_A_ROUND)

        return [
            (arrived_ns - int.from_bytes(message[:8], "big")) / 1e9
            for arrived_ns, message in self._loop.run(deliver())
        ]


class _Watchers:
    """Streams that note when each message came and nothing else.

    The first message of each says that the stream has begun.
    """

    def __init__(self, open_stream: Callable[[], Any], count: int) -> None:
        self._begun = asyncio.Semaphore(0)
        self._arrivals: list[_Arrival] = []
        self._came = asyncio.Event()
        self._tasks = [asyncio.create_task(self._watch(open_stream())) for _ in range(count)]

    async def _watch(self, stream: Any) -> None:
        await stream.read()
        self._begun.release()
        try:
            while True:
                message = await stream.read()
                self._arrivals.append((time.time_ns(), message))
                self._came.set()
        finally:
            stream.cancel()

    async def started(self) -> None:
        for _ in self._tasks:
            await self._begun.acquire()

    async def received(self, events: int) -> list[_Arrival]:
        """Waits until each watcher has as many, then ends the streams."""
        async with asyncio.timeout(events / _EVENTS_PER_SECOND + _PATIENCE_SECONDS):
            while len(self._arrivals) < events * len(self._tasks):
                self._came.clear()
                await self._came.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return self._arrivals


async def _open(address: str) -> grpc.aio.Channel:
    # Channels belong to the loop they are made on.
    return grpc.aio.insecure_channel(address)


def _measure_cache(address: str) -> None:
    """What a service pays for asking its client at every batch."""
    with RegistryClient(address) as client:
        client.get("bench.lookup", version=1)
        for name, call in (
            ("get", lambda: client.get("bench.lookup", version=1)),
            ("latest", lambda: client.latest("bench.lookup")),
            ("in_force", lambda: client.in_force("bench.lookup")),
        ):
            seconds = medians({name: timed(_repeated(call))}, seconds=SECONDS / 10)[name]
            report(BENCH, f"cached_{name}", seconds / _CACHED_CALLS * 1e6, "us", target=at_most(2))


def _repeated(call: Callable[[], object]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(_CACHED_CALLS):
            call()

    return run


def _measure_lookups(edge: _Edge, bare: _Bare) -> None:
    rates = medians({"get": edge.lookups_per_second, "echo": bare.echoes_per_second})
    report(BENCH, "get_schema_64_in_flight", rates["get"], "1/s", target=at_least(4_000))
    report(
        BENCH,
        "get_schema_over_bare_echo",
        rates["get"],
        "1/s",
        baseline=rates["echo"],
        target=ratio_at_least(0.6),
    )
    took = [seconds * 1e3 for seconds in edge.lookup_seconds()]
    report(BENCH, "get_schema_p50", quantile(took, 0.5), "ms", target=at_most(1))
    report(BENCH, "get_schema_p99", quantile(took, 0.99), "ms", target=at_most(3))


def _measure_registrations(edge: _Edge) -> None:
    rate = medians({"register": edge.registrations_per_second})["register"]
    report(BENCH, "register_schema_durable_sqlite", rate, "1/s", target=at_least(300))


def _measure_delivery(edge: _Edge, bare: _Bare) -> None:
    middle: list[float] = []

    def watch() -> float:
        took = edge.deliveries()
        middle.append(quantile(took, 0.5) * 1e3)
        return quantile(took, 0.99) * 1e3

    p99 = medians({"watch": watch, "fan": lambda: quantile(bare.deliveries(), 0.99) * 1e3})
    p50 = quantile(middle[1:], 0.5)
    report(BENCH, "commit_to_delivery_p50", p50, "ms", target=at_most(4))
    report(BENCH, "commit_to_delivery_p99", p99["watch"], "ms", target=at_most(10))
    report(
        BENCH,
        "delivery_p99_over_bare_fan_out",
        p99["watch"],
        "ms",
        baseline=p99["fan"],
        target=ratio_at_most(1.5),
    )


if __name__ == "__main__":
    main()
