"""What the store has done since its start, counted once for statistics and metrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter


class PutCounters:
    """Counts what puts came to; safe for any thread."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Registers the counters with `registry`, or with one nobody scrapes."""
        registry = registry if registry is not None else CollectorRegistry()

        def counter(name: str, text: str) -> Counter:
            return Counter(name, text, registry=registry)

        self._rows = counter("tickmesh_tickstore_rows_committed", "Rows made durable by puts")
        self._duplicates = counter(
            "tickmesh_tickstore_duplicate_batches", "Batches answered as duplicates"
        )
        self._refused = counter("tickmesh_tickstore_refused_batches", "Batches refused")
        self._changed = counter(
            "tickmesh_tickstore_changed_columns", "Columns changed without loss, by stream"
        )

    def stored(self, *, rows: int, duplicates: int) -> None:
        """Counts acknowledged batches."""
        self._rows.inc(rows)
        if duplicates:
            self._duplicates.inc(duplicates)

    def refused(self) -> None:
        """Counts a refused batch."""
        self._refused.inc()

    def changed(self, columns: int) -> None:
        """Counts the columns of a stream that are changed on their way in."""
        if columns:
            self._changed.inc(columns)

    @property
    def rows_committed(self) -> int:
        """Rows committed since the start."""
        return _value(self._rows)

    @property
    def duplicate_batches(self) -> int:
        """Batches answered as duplicates since the start."""
        return _value(self._duplicates)

    @property
    def refused_batches(self) -> int:
        """Batches refused since the start."""
        return _value(self._refused)


def _value(counter: Counter) -> int:
    (metric,) = counter.collect()
    return int(next(each.value for each in metric.samples if each.name.endswith("_total")))
