"""What the cleaner counts for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge

if TYPE_CHECKING:
    from tickmesh_cleaner.domain.balance import Balance


class CleanerMetrics:
    """Rows by outcome, jobs at work, breaking changes met."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._rows = Counter(
            "tickmesh_cleaner_rows",
            "Rows accounted for, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._flagged = Counter(
            "tickmesh_cleaner_flagged_rows",
            "Stored rows that a tick rule flagged, by the rule's code.",
            ["code"],
            registry=registry,
        )
        self.jobs_running = Gauge(
            "tickmesh_cleaner_jobs_running", "Jobs that have a thread now.", registry=registry
        )
        self._breaking_changes = Counter(
            "tickmesh_cleaner_breaking_changes",
            "Breaking schema changes that reached a running job, by its policy.",
            ["policy"],
            registry=registry,
        )

    def committed(self, balance: Balance) -> None:
        """Count the rows of a committed batch."""
        self._rows.labels(outcome="stored").inc(balance.stored)
        self._rows.labels(outcome="quarantined").inc(balance.quarantined)
        self._rows.labels(outcome="duplicate").inc(balance.duplicates)
        for code, rows in balance.flagged.items():
            self._flagged.labels(code=code).inc(rows)

    def breaking_change(self, *, policy: str) -> None:
        """Count a breaking change that a running job met."""
        self._breaking_changes.labels(policy=policy).inc()
