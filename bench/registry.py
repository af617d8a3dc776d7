"""The registry's edge: lookups warm and cold, registrations, and what its caches spare.

Client and server share the machine. The baseline of lookups is a bare grpc.aio server that sends as
many bytes. Answers are taken as bytes on both sides, so that the servers are compared and not the
decoding.
"""

from __future__ import annotations

import asyncio
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import uvloop
from prometheus_client.parser import text_string_to_metric_families

from bench._measure import (
    SECONDS,
    Target,
    at_least,
    at_most,
    medians,
    quantile,
    ratio_at_least,
    report,
    timed,
)
from bench._registry_edge import POSTGRES_URL, RegistryEdge, Server, latest, version
from bench._servers import baseline_server, mesh, scratch
from bench._ticks import SCHEMA, tick_batch
from bench.cleaner import run_job, write_csv
from tickmesh.cleaning import CleanerClient
from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tickmesh_serving.mesh import Mesh

BENCH = "registry"
_ROUND_SECONDS = min(2.0, SECONDS / 4)
_LATENCIES = 500
_CACHED_CALLS = 20_000
_COLD_SUBJECTS = 300
_WARM_UP = 20
_FILES = 2
_PLAIN_LOOKUPS = 50
_PRODUCERS = 250
_MESH = ("registry", "tickstore", "cleaner")
_ROWS_A_FILE = 262_144


def main() -> None:
    """Measure one registry process on embedded defaults, then the whole mesh."""
    with scratch() as folder:
        _measure_edge(folder / "edge")
        _measure_cold(folder / "cold")
        _measure_hit_ratios(folder / "mesh")
        if POSTGRES_URL:
            settings = {"registry.store.url": POSTGRES_URL}
            _measure_registrations(folder / "postgres", settings, "postgres", target=600)


class _Bare(Server):
    """A server that decides nothing."""

    def __init__(self, loop: asyncio.Runner, address: str) -> None:
        super().__init__(loop, address)
        self._echo: Any = self.channel.unary_unary("/bare/Echo")

    def echoes_per_second(self) -> float:
        return self.rate(lambda: self._echo(b"x"), _ROUND_SECONDS)


def _measure_edge(home: Path) -> None:
    with ExitStack() as stack:
        running = stack.enter_context(mesh(home, "registry"))
        address = running.addresses["registry"]["grpc"]
        loop = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        edge = RegistryEdge(loop, address)
        stack.callback(edge.close)
        loop.run(edge.register("bench.lookup", 0))
        _measure_cache(address)
        answer_bytes = len(loop.run(edge.get(latest("bench.lookup"))))
        bare = _Bare(
            loop, stack.enter_context(baseline_server("_grpc_baseline", answer_bytes, 8, 1))
        )
        stack.callback(bare.close)
        _measure_lookups(edge, bare)
    _measure_registrations(home, {}, "sqlite", target=300)


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


def _measure_lookups(edge: RegistryEdge, bare: _Bare) -> None:
    wanted = latest("bench.lookup")
    rates = medians(
        {
            "get": lambda: edge.rate(lambda: edge.get(wanted), _ROUND_SECONDS),
            "echo": bare.echoes_per_second,
        }
    )
    report(BENCH, "get_schema_64_in_flight", rates["get"], "1/s", target=at_least(4_000))
    report(
        BENCH,
        "get_schema_over_bare_echo",
        rates["get"],
        "1/s",
        baseline=rates["echo"],
        target=ratio_at_least(0.6),
    )
    took = edge.milliseconds_of_each([wanted] * _LATENCIES)
    report(BENCH, "get_schema_p50", quantile(took, 0.5), "ms", target=at_most(1))
    report(BENCH, "get_schema_p99", quantile(took, 0.99), "ms", target=at_most(3))


def _measure_registrations(
    home: Path, settings: dict[str, str], engine: str, *, target: float
) -> None:
    """New subjects, 64 in flight, each committed for good."""
    with ExitStack() as stack:
        running = stack.enter_context(mesh(home, "registry", settings=settings))
        loop = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        edge = RegistryEdge(loop, running.addresses["registry"]["grpc"])
        stack.callback(edge.close)
        rate = medians({engine: lambda: edge.rate(edge.register_next, _ROUND_SECONDS)})[engine]
        report(BENCH, f"register_schema_durable_{engine}", rate, "1/s", target=at_least(target))


def _measure_cold(home: Path) -> None:
    """Each version once from the store, after a restart, and again from memory."""
    wanted = [version(f"bench.cold.{number}", 1) for number in range(_COLD_SUBJECTS)]
    unread = wanted[_WARM_UP:]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        with mesh(home, "registry") as running:
            edge = RegistryEdge(loop, running.addresses["registry"]["grpc"])
            for number in range(_COLD_SUBJECTS):
                loop.run(edge.register(f"bench.cold.{number}", number))
            edge.close()
        with mesh(home, "registry") as running:
            edge = RegistryEdge(loop, running.addresses["registry"]["grpc"])
            edge.milliseconds_of_each(wanted[:_WARM_UP])  # the first calls pay for the connections
            took, cold = _with_server_seconds(running, lambda: edge.milliseconds_of_each(unread))
            _, warm = _with_server_seconds(running, lambda: edge.milliseconds_of_each(unread))
            edge.close()
    report(BENCH, "get_schema_cold_p99", quantile(took, 0.99), "ms", target=at_most(50))
    report(
        BENCH,
        "server_time_from_store_over_from_memory",
        cold * 1e6,
        "us",
        baseline=warm * 1e6,
        target=ratio_at_least(10),
    )


def _with_server_seconds(
    running: Mesh, run: Callable[[], list[float]]
) -> tuple[list[float], float]:
    """What a run answers, and the mean time the server says it spent on a call of it."""
    name, wanted = "tickmesh_rpc_duration_seconds", "GetSchema"
    before = [
        _metric(running, "registry", f"{name}_{part}", method=wanted) for part in ("sum", "count")
    ]
    answer = run()
    after = [
        _metric(running, "registry", f"{name}_{part}", method=wanted) for part in ("sum", "count")
    ]
    return answer, (after[0] - before[0]) / (after[1] - before[1])


def _measure_hit_ratios(home: Path) -> None:
    """The mesh at work: files cleaned and stored, producers that come and go, plain lookups."""
    sources = home / "sources"
    sources.mkdir(parents=True)
    path = sources / "ticks.csv"
    ticks = tick_batch(_ROWS_A_FILE)
    write_csv(path, ticks)
    with ExitStack() as stack:
        running = stack.enter_context(
            mesh(home, *_MESH, settings={"cleaner.sources.roots": str(sources)})
        )
        config = load_client_config(home=home, environ=running.client_environment)
        registry = stack.enter_context(RegistryClient(config=config))
        cleaner = stack.enter_context(CleanerClient(config=config))
        loop = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        edge = RegistryEdge(loop, running.addresses["registry"]["grpc"])
        stack.callback(edge.close)
        for number in range(_FILES):
            subject = f"bench.hits.{number}"
            registry.register(subject, SCHEMA)
            run_job(cleaner, subject, path)
            edge.milliseconds_of_each([latest(subject), version(subject, 1)] * _PLAIN_LOOKUPS)
            for producer in range(_PRODUCERS):
                with TickClient(config=config) as client:
                    client.put(subject, ticks.slice(producer * 100, 100))
        _report_hit_ratio(
            "client",
            at_least(0.99),
            [
                [
                    _metric(running, service, f"tickmesh_registry_client_cache_{kind}_total")
                    for service in _MESH[1:]
                ]
                for kind in ("hits", "misses")
            ],
        )
        _report_hit_ratio(
            "registry",
            at_least(0.95),
            [
                [
                    _metric(
                        running,
                        "registry",
                        f"tickmesh_registry_cache_{kind}_total",
                        tier="versions",
                    )
                ]
                for kind in ("hits", "misses")
            ],
        )


def _report_hit_ratio(name: str, target: Target, counted: Sequence[Sequence[float]]) -> None:
    """Report the share of lookups that caches answered, from their hits and their misses."""
    hits, misses = map(sum, counted)
    report(BENCH, f"{name}_cache_hit_ratio", hits / (hits + misses), "1", target=target)


def _metric(running: Mesh, service: str, name: str, *, method: str = "", tier: str = "") -> float:
    """The sum of a metric's samples, of those whose method and tier end so."""
    address = running.addresses[service]["http"]
    with urllib.request.urlopen(f"http://{address}/metrics") as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return sum(
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name
        and sample.labels.get("method", "").endswith(method)
        and sample.labels.get("tier", "").endswith(tier)
    )


if __name__ == "__main__":
    main()
