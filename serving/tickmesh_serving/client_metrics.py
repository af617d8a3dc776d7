"""What a service tells Prometheus of the registry client it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import CollectorRegistry, Metric

    from tickmesh.registry import RegistryClient


class _ClientCollector(Collector):
    """Reads the numbers when they are asked for."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    def collect(self) -> Iterator[Metric]:
        now = self._client.cache_statistics()
        yield CounterMetricFamily(
            "tickmesh_registry_client_cache_hits", "Lookups answered from memory.", value=now.hits
        )
        yield CounterMetricFamily(
            "tickmesh_registry_client_cache_misses",
            "Lookups that the registry had to answer.",
            value=now.misses,
        )
        yield GaugeMetricFamily(
            "tickmesh_registry_client_fresh",
            "1 while the client hears of every change, 0 while the registry is away.",
            value=now.stale_since_ns is None,
        )


def registry_client_metrics(metrics: CollectorRegistry, client: RegistryClient) -> None:
    """Register how a service's registry client is doing."""
    metrics.register(_ClientCollector(client))
