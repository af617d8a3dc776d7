"""The registry's edge: lookups, registrations, and commit to delivery.

Client and server share the machine. Baselines are bare grpc.aio servers that send as many bytes.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
import time
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc.aio
import uvloop

from tickmesh.api.registry.v1 import (
    schema_registry_service_pb2 as pb,
)
from tickmesh.api.registry.v1 import (
    schema_registry_service_pb2_grpc as pb_grpc,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

WATCH = "/tickmesh.api.registry.v1.SchemaRegistryService/Watch"
IN_FLIGHT = 64
ROUNDS = 3
ROUND_SECONDS = 2.0
REGISTER_SECONDS = 5.0
WATCHERS = 100
EVENTS_PER_SECOND = 10.0
WATCH_SECONDS = 8.0


def report(
    metric: str,
    value: float,
    unit: str,
    *,
    baseline: float | None = None,
    ratio: float | None = None,
    target: str,
    ok: bool,
) -> None:
    line = {
        "bench": "registry",
        "metric": metric,
        "value": round(value, 3),
        "unit": unit,
        "baseline": None if baseline is None else round(baseline, 3),
        "ratio": None if ratio is None else round(ratio, 3),
        "target": target,
        "ok": ok,
    }
    print(json.dumps(line), flush=True)


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


@asynccontextmanager
async def registry(home: Path) -> AsyncIterator[str]:
    """A registry process on embedded defaults; its address."""
    ready = home / "ready.json"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from tickmesh_registry.cli import command; command()",
        "serve",
        *("--data", str(home), "--grpc-port", "0", "--http-port", "0"),
        *("--ready-file", str(ready), "--log-level", "warning"),
    )
    try:
        while not ready.exists():
            assert process.returncode is None, "the registry did not start"
            await asyncio.sleep(0.02)
        yield json.loads(ready.read_text())["grpc"]
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def bare_server(answer_bytes: int, event_bytes: int) -> AsyncIterator[str]:
    """A server that decides nothing; its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench._grpc_baselines"),
        *(str(answer_bytes), str(event_bytes), str(EVENTS_PER_SECOND)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = int(await process.stdout.readline())
        yield f"127.0.0.1:{port}"
    finally:
        process.stdin.close()
        await process.wait()


async def calls_per_second(call: Callable[[], Awaitable[object]], seconds: float) -> float:
    """How many calls end in a second, 64 in flight."""
    end = time.perf_counter() + seconds
    done = 0

    async def work() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await call()
            done += 1

    start = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return done / (time.perf_counter() - start)


async def measure_lookup(stub: Any, bare: grpc.aio.Channel) -> None:
    request = pb.GetSchemaRequest(
        subject=pb.SubjectSelector(subject="bench.lookup", latest=pb.LatestSelector())
    )
    # Answers are taken as bytes on both sides: this measures the server.
    echo: Any = bare.unary_unary("/bare/Echo")
    packed = request.SerializeToString()
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(ROUNDS):
        theirs.append(await calls_per_second(lambda: echo(packed), ROUND_SECONDS))
        ours.append(await calls_per_second(lambda: stub(packed), ROUND_SECONDS))
    value, baseline = statistics.median(ours), statistics.median(theirs)
    report(
        "get_schema_throughput",
        value,
        "1/s",
        baseline=baseline,
        ratio=value / baseline,
        target="ratio >= 0.6 of a bare echo of as many bytes, 64 in flight; 4000/s",
        ok=value / baseline >= 0.6,
    )
    latencies = []
    for _ in range(500):
        start = time.perf_counter()
        await stub(packed)
        latencies.append((time.perf_counter() - start) * 1e3)
    for name, quantile, target in (("p50", 0.5, 1.0), ("p99", 0.99, 3.0)):
        value = _quantile(latencies, quantile)
        report(
            f"get_schema_{name}",
            value,
            "ms",
            target=f"< {target:g} ms, one in flight",
            ok=value < target,
        )


async def measure_registration(stub: pb_grpc.SchemaRegistryServiceAsyncStub) -> None:
    numbers = iter(range(1_000_000))

    async def call() -> None:
        number = next(numbers)
        await stub.RegisterSchema(
            pb.RegisterSchemaRequest(subject=f"bench.register.{number}", text=schema_text(number))
        )

    value = await calls_per_second(call, REGISTER_SECONDS)
    report(
        "register_schema_durable", value, "1/s", target=">= 300/s, 64 in flight", ok=value >= 300
    )


async def measure_delivery(
    stub: pb_grpc.SchemaRegistryServiceAsyncStub,
    channel: grpc.aio.Channel,
    bare: grpc.aio.Channel,
) -> None:
    bare_seconds: list[float] = []
    await _watch_bare(bare, bare_seconds)
    seconds: list[float] = []
    ready = asyncio.Semaphore(0)

    # Answers are taken as bytes, like the baseline's, and read when everything has come.
    follow: Any = channel.unary_stream(WATCH)
    taken: list[tuple[int, bytes]] = []

    async def watch() -> None:
        call = follow(pb.WatchRequest().SerializeToString())
        await call.read()  # a progress mark: from here on nothing is missed
        ready.release()
        while True:
            answer = await call.read()
            taken.append((time.time_ns(), answer))

    watching = [asyncio.create_task(watch()) for _ in range(WATCHERS)]
    for _ in watching:
        await ready.acquire()
    for number in range(int(WATCH_SECONDS * EVENTS_PER_SECOND)):
        await stub.RegisterSchema(
            pb.RegisterSchemaRequest(subject=f"bench.watch.{number}", text=schema_text(number))
        )
        await asyncio.sleep(1 / EVENTS_PER_SECOND)
    await _ended(watching)
    for now_ns, answer in taken:
        events = pb.WatchResponse.FromString(answer).events
        seconds.extend((now_ns - event.changed_at.ToNanoseconds()) / 1e9 for event in events)
    expected = WATCHERS * int(WATCH_SECONDS * EVENTS_PER_SECOND)
    assert len(seconds) == expected, f"{len(seconds)} of {expected} deliveries"
    for name, quantile, target in (("p50", 0.5, 4.0), ("p99", 0.99, 10.0)):
        value = _quantile(seconds, quantile) * 1e3
        baseline = _quantile(bare_seconds, quantile) * 1e3
        report(
            f"commit_to_delivery_{name}",
            value,
            "ms",
            baseline=baseline,
            ratio=value / baseline,
            target=f"<= {target:g} ms, 100 watchers, 10 events/s (the commit's fsync included); "
            "ratio of p99 <= 1.5 to a bare fan-out",
            ok=value <= target,
        )


async def _watch_bare(bare: grpc.aio.Channel, seconds: list[float]) -> None:
    fan: Any = bare.unary_stream("/bare/Fan")

    async def watch() -> None:
        async for event in fan(b""):
            made_ns = int.from_bytes(event[:8], "big")
            seconds.append((time.time_ns() - made_ns) / 1e9)

    watching = [asyncio.create_task(watch()) for _ in range(WATCHERS)]
    await asyncio.sleep(WATCH_SECONDS)
    await _ended(watching)


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _quantile(values: list[float], quantile: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * quantile))]


async def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        async with registry(Path(home)) as address, grpc.aio.insecure_channel(address) as channel:
            stub: Any = pb_grpc.SchemaRegistryServiceStub(channel)
            await stub.RegisterSchema(
                pb.RegisterSchemaRequest(subject="bench.lookup", text=schema_text(0))
            )
            lookup: Any = channel.unary_unary(
                "/tickmesh.api.registry.v1.SchemaRegistryService/GetSchema"
            )
            request = pb.GetSchemaRequest(schema_id=1).SerializeToString()
            answer_bytes = len(await lookup(request))
            async with (
                bare_server(answer_bytes, answer_bytes) as bare_address,
                grpc.aio.insecure_channel(bare_address) as bare,
            ):
                await measure_lookup(lookup, bare)
                await measure_registration(stub)
                await measure_delivery(stub, channel, bare)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
