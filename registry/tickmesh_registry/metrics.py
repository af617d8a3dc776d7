"""What the registry tells Prometheus beyond what every server does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry, Metric

    from .application import RegistryApplication
    from .watch import WatchHub


class _RegistryCollector(Collector):
    """Reads the numbers when they are asked for."""

    def __init__(self, hub: WatchHub, application: RegistryApplication) -> None:
        self._hub = hub
        self._application = application

    def collect(self) -> Iterator[Metric]:
        hub = self._hub
        yield _gauge("revision", "Last revision published.", hub.revision)
        yield _gauge("watchers", "Watch streams open.", hub.watchers)
        yield _gauge("watch_ring_bytes", "Encoded events in memory.", hub.ring.size_bytes)
        yield _counter("watch_log_reads", "Reads of the log below the ring.", hub.log_reads)
        yield from self._caches()

    def _caches(self) -> Iterator[Metric]:
        tiers = self._application.cache_tiers()
        for name, text in (
            ("hits", "Lookups answered, by cache tier."),
            ("misses", "Lookups not answered, by cache tier."),
            ("evictions", "Entries dropped to stay within the bound, by cache tier."),
            ("errors", "Failed calls to the tier."),
        ):
            counter = CounterMetricFamily(f"tickmesh_registry_cache_{name}", text, labels=["tier"])
            for tier in tiers:
                counter.add_metric([tier.name], getattr(tier, name))
            yield counter


def watch_metrics(
    metrics: CollectorRegistry, hub: WatchHub, application: RegistryApplication
) -> None:
    """Register the registry's own metrics."""
    metrics.register(_RegistryCollector(hub, application))


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"tickmesh_registry_{name}", text, value=value)


def _counter(name: str, text: str, value: float) -> CounterMetricFamily:
    return CounterMetricFamily(f"tickmesh_registry_{name}", text, value=value)
