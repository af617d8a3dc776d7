"""What the cleaner counts for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge

if TYPE_CHECKING:
    from tickmesh.schema.validation import Recheck
    from tickmesh_cleaner.domain.balance import Balance

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.cleaner.judging")


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
        self._rows_rechecked = Counter(
            "tickmesh_cleaner_rows_rechecked",
            "Rows the row oracle judged again, off the hot path.",
            registry=registry,
        )
        self._disagreements = Counter(
            "tickmesh_cleaner_oracle_disagreements",
            "Rows judged again on which columns and row oracle differ: alarm above 0.",
            registry=registry,
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

    def rechecked(self, found: Recheck) -> None:
        """Count what a self-check found, and say on what columns and oracle differ."""
        self._rows_rechecked.inc(found.rows)
        self._disagreements.inc(len(found.disagreements))
        for disagreement in found.disagreements:
            _log.error(
                "columns_and_oracle_disagree",
                good_on_columns=disagreement.good,
                oracle_reasons=[
                    f"{reason.code} {reason.schema_path}" for reason in disagreement.reasons
                ],
            )

    def breaking_change(self, *, policy: str) -> None:
        """Count a breaking change that a running job met."""
        self._breaking_changes.labels(policy=policy).inc()
