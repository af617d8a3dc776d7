"""The registry's watch: commit to delivery and fan-out, beside a bare server and beside etcd.

All of them have the same watchers in the same client process, at the same rate, with messages of
the same size, in turns.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import uvloop

from bench._etcd_baseline import Etcd, etcd_is_here, etcd_server, made_ns
from bench._fan_out import Watchers, paced
from bench._measure import (
    SECONDS,
    at_least,
    at_most,
    medians,
    quantile,
    ratio_at_most,
    report,
)
from bench._registry_edge import POSTGRES_URL, RegistryEdge, Server
from bench._servers import baseline_server, mesh, scratch
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BENCH = "watch"
_WATCHERS = 100
_EVENTS_PER_SECOND = 10.0
_EVENTS_A_ROUND = min(50, max(5, int(SECONDS / 2 * _EVENTS_PER_SECOND)))
_BURST = 200
"""Messages to each watcher, as fast as they can be sent."""


def main() -> None:
    """Measure one registry process on embedded defaults, then two replicas where they can meet."""
    with ExitStack() as stack:
        folder = stack.enter_context(scratch())
        running = stack.enter_context(mesh(folder, "registry"))
        loop = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        edge = _open(stack, RegistryEdge(loop, running.addresses["registry"]["grpc"]))
        event_bytes = _event_bytes(edge)
        address = stack.enter_context(
            baseline_server("_grpc_baseline", 1, event_bytes, _EVENTS_PER_SECOND)
        )
        bare = _open(stack, _Bare(loop, address))
        etcd: Etcd | None = None
        if etcd_is_here():
            address = stack.enter_context(etcd_server(folder))
            etcd = _open(stack, Etcd(loop, address, event_bytes=event_bytes))
        else:
            print("no etcd: `make deps-bench` installs it; its baselines are null", file=sys.stderr)
        _measure_delivery(edge, bare, etcd)
        _measure_fan_out(edge, bare)
    if POSTGRES_URL:
        with ExitStack() as stack:
            _measure_two_replicas(stack)


def measure_across(loop: asyncio.Runner, *, writing: str, watching: str) -> None:
    """Report from a commit on one replica to its delivery by another.

    Args:
        loop: Where the clients run.
        writing: gRPC address of the replica that registers.
        watching: gRPC address of the one that is watched.
    """
    with ExitStack() as stack:
        writer = _open(stack, RegistryEdge(loop, writing))
        watcher = _open(stack, RegistryEdge(loop, watching))
        took: list[float] = []
        _deliveries(writer, watcher)
        for _ in range(3):
            took += _deliveries(writer, watcher)
        milliseconds = [seconds * 1e3 for seconds in took]
        report(BENCH, "other_replica_delivery_p50", quantile(milliseconds, 0.5), "ms")
        report(
            BENCH,
            "other_replica_delivery_p99",
            quantile(milliseconds, 0.99),
            "ms",
            target=at_most(100),
        )


class _Bare(Server):
    """A server that commits nothing and decides nothing."""

    def __init__(self, loop: asyncio.Runner, address: str) -> None:
        super().__init__(loop, address)
        self._fan: Any = self.channel.unary_stream("/bare/Fan")
        self._burst: Any = self.channel.unary_stream("/bare/Burst")

    async def fan(self) -> Any:
        return self._fan(b"")

    async def burst(self) -> Any:
        return self._burst(_BURST.to_bytes(4, "big"))

    def deliveries(self) -> list[float]:
        """Seconds from the instant each event was made to each watcher."""

        async def deliver() -> list[float]:
            watching = Watchers(self.fan, _WATCHERS)
            await watching.started()
            return [
                (arrived_ns - int.from_bytes(message[:8], "big")) / 1e9
                for arrived_ns, message in await watching.received(_EVENTS_A_ROUND)
            ]

        return self.loop.run(deliver())


def _open(stack: ExitStack, server: Any) -> Any:
    stack.callback(server.close)
    return server


def _event_bytes(edge: RegistryEdge) -> int:
    """The size of the message that announces a registration."""

    async def deliver() -> int:
        watching = Watchers(lambda: edge.watch(pb.WatchRequest()), 1)
        await watching.started()
        await edge.register_next()
        [(_, message)] = await watching.received(1)
        return len(message)

    return edge.loop.run(deliver())


def _deliveries(
    writer: RegistryEdge, watched: RegistryEdge, *, of_writes: list[float] | None = None
) -> list[float]:
    """Seconds from the instant of each change, which lies before its commit, to each watcher.

    Args:
        writer: The replica that registers.
        watched: The replica that is watched.
        of_writes: Is given the seconds from before each write was sent.
    """
    sent_ns: dict[str, int] = {}

    async def register() -> None:
        before_ns = time.time_ns()
        sent_ns[await writer.register_next()] = before_ns

    async def deliver() -> list[float]:
        watching = Watchers(lambda: watched.watch(pb.WatchRequest()), _WATCHERS)
        await watching.started()
        await paced(register, events=_EVENTS_A_ROUND, per_second=_EVENTS_PER_SECOND)
        took = []
        for arrived_ns, message in await watching.received(_EVENTS_A_ROUND):
            [event] = pb.WatchResponse.FromString(message).events
            took.append((arrived_ns - event.changed_at.ToNanoseconds()) / 1e9)
            if of_writes is not None:
                of_writes.append((arrived_ns - sent_ns[event.subject]) / 1e9)
        return took

    return watched.loop.run(deliver())


def _etcd_deliveries(etcd: Etcd) -> list[float]:
    """Seconds from the instant before each put is sent to each watcher."""

    async def deliver() -> list[float]:
        watching = Watchers(etcd.watch, _WATCHERS)
        await watching.started()
        await paced(etcd.put_next, events=_EVENTS_A_ROUND, per_second=_EVENTS_PER_SECOND)
        return [
            (arrived_ns - made_ns(message)) / 1e9
            for arrived_ns, message in await watching.received(_EVENTS_A_ROUND)
        ]

    return etcd.loop.run(deliver())


def _measure_delivery(edge: RegistryEdge, bare: _Bare, etcd: Etcd | None) -> None:
    middles: dict[str, list[float]] = {}

    def p99(name: str, deliveries: Callable[[], list[float]]) -> Callable[[], float]:
        def measure() -> float:
            took = [seconds * 1e3 for seconds in deliveries()]
            middles.setdefault(name, []).append(quantile(took, 0.5))
            return quantile(took, 0.99)

        return measure

    of_writes: list[float] = []
    measures = {
        "ours": lambda: _deliveries(edge, edge, of_writes=of_writes),
        "bare": bare.deliveries,
    }
    if etcd is not None:
        measures["etcd"] = lambda: _etcd_deliveries(etcd)
    p99s = medians({name: p99(name, deliveries) for name, deliveries in measures.items()})
    p50s = {name: quantile(found[1:], 0.5) for name, found in middles.items()}
    report(BENCH, "commit_to_delivery_p50", p50s["ours"], "ms", target=at_most(4))
    report(BENCH, "commit_to_delivery_p99", p99s["ours"], "ms", target=at_most(10))
    for name, bound in (("bare_fan_out", 1.5), ("etcd", 1.25)):
        key = name.partition("_")[0]
        report(BENCH, f"delivery_p50_over_{name}", p50s["ours"], "ms", baseline=p50s.get(key))
        report(
            BENCH,
            f"delivery_p99_over_{name}",
            p99s["ours"],
            "ms",
            baseline=p99s.get(key),
            target=ratio_at_most(bound),
        )
    warm = [seconds * 1e3 for seconds in of_writes[_WATCHERS * _EVENTS_A_ROUND :]]
    for name, share, of_etcd in (("p50", 0.5, p50s), ("p99", 0.99, p99s)):
        report(
            BENCH,
            f"write_to_delivery_{name}_over_etcd",
            quantile(warm, share),
            "ms",
            baseline=of_etcd.get("etcd"),
        )


def _measure_fan_out(edge: RegistryEdge, bare: _Bare) -> None:
    """Every watcher resumes before the same events and is sent them all at once."""

    async def register() -> None:
        for _ in range(_BURST):
            await edge.register_next()

    edge.loop.run(register())

    def per_second(open_stream: Callable[[], Any]) -> Callable[[], float]:
        async def deliver() -> float:
            started = time.perf_counter()
            watching = Watchers(open_stream, _WATCHERS)
            await watching.received(_BURST)
            return _BURST * _WATCHERS / (time.perf_counter() - started)

        return lambda: edge.loop.run(deliver())

    head = edge.loop.run(_head(edge))
    resumed = pb.WatchRequest(after_revision=head - _BURST)
    rates = medians(
        {"ours": per_second(lambda: edge.watch(resumed)), "bare": per_second(bare.burst)}
    )
    report(BENCH, "fan_out", rates["ours"], "deliveries/s", target=at_least(25_000))
    report(BENCH, "fan_out_over_bare", rates["ours"], "deliveries/s", baseline=rates["bare"])


async def _head(edge: RegistryEdge) -> int:
    stream = await edge.watch(pb.WatchRequest())
    message: bytes = await stream.read()
    stream.cancel()
    return pb.WatchResponse.FromString(message).revision


def _measure_two_replicas(stack: ExitStack) -> None:
    folder = stack.enter_context(scratch())
    loop = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
    addresses = [
        stack.enter_context(_replica(folder / name)).addresses["registry"]["grpc"]
        for name in ("one", "two")
    ]
    measure_across(loop, writing=addresses[0], watching=addresses[1])


def _replica(home: Path) -> Any:
    return mesh(home, "registry", settings={"registry.store.url": POSTGRES_URL})


if __name__ == "__main__":
    main()
