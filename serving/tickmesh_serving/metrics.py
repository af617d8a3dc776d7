"""The metrics every server has. Names carry their units; labels have few values."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

_BUCKETS_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


def new_registry() -> CollectorRegistry:
    """Return a registry that holds the process's own metrics: memory, CPU, files, collections."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class RpcMetrics:
    """Calls by transport, method and outcome."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "tickmesh_rpc_calls",
            "Calls that ended, by outcome.",
            ["transport", "method", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "tickmesh_rpc_duration_seconds",
            "How long unary calls took.",
            ["transport", "method"],
            buckets=_BUCKETS_SECONDS,
            registry=registry,
        )
        self._running = Gauge(
            "tickmesh_rpc_running",
            "Calls and streams running now.",
            ["transport", "method"],
            registry=registry,
        )
        # Looking a child up by its labels costs more than counting; the sets of labels are small.
        self._children: dict[tuple[str, str], tuple[Gauge, Histogram]] = {}
        self._outcomes: dict[tuple[str, str, str], Counter] = {}

    def started(self, transport: str, method: str) -> None:
        """Count a call as running."""
        self._of(transport, method)[0].inc()

    def ended(self, transport: str, method: str, *, code: str, seconds: float | None) -> None:
        """Count a call as ended; `seconds` is None for streams."""
        running, histogram = self._of(transport, method)
        running.dec()
        if seconds is not None:
            histogram.observe(seconds)
        key = (transport, method, code)
        counter = self._outcomes.get(key)
        if counter is None:
            counter = self._outcomes[key] = self._calls.labels(*key)
        counter.inc()

    def _of(self, transport: str, method: str) -> tuple[Gauge, Histogram]:
        key = (transport, method)
        children = self._children.get(key)
        if children is None:
            children = (self._running.labels(*key), self._seconds.labels(*key))
            self._children[key] = children
        return children
