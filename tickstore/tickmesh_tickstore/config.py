"""The tick store's settings: section `tickstore` of tickmesh.toml, `TICKMESH_TICKSTORE__…`."""

import os

# Annotations are read at run time to convert what files and variables say.
from dataclasses import dataclass, field
from pathlib import Path

from tickmesh_serving.config import ServingConfig

_LEAST_SQL_BYTES = 67_108_864
_LEAST_PARTS, _MOST_PARTS = 2, 4


@dataclass(frozen=True)
class StoreConfig:
    """Where rows are kept."""

    directory: Path | None = None
    """By default `tickstore` in the home."""
    max_staged_bytes: int = 4 << 30
    """Atomic uploads that are not committed yet, together."""
    max_staged_bytes_per_principal: int = 0
    """Those of one principal among them; as many as there may be when 0."""

    def __post_init__(self) -> None:
        if self.max_staged_bytes < 1 or self.max_staged_bytes_per_principal < 0:
            raise ValueError("expected max_staged_bytes ≥ 1 and max_staged_bytes_per_principal ≥ 0")

    def path(self, home: Path) -> Path:
        """The directory, given the home."""
        return self.directory or home / "tickstore"


@dataclass(frozen=True)
class ReadingConfig:
    """Bounds of what readers may cost."""

    ticket_lifetime_seconds: float = 900.0
    """How long a ticket can be redeemed."""
    max_endpoints: int = 0
    """Parts that one read is split into at most; as many as the machine has cores, 2 to 4, when 0.
    """
    max_lag_rows: int = 5_000_000
    """A live tail that takes nothing while it is further behind is ended."""

    def __post_init__(self) -> None:
        if self.ticket_lifetime_seconds <= 0:
            raise ValueError("expected ticket_lifetime_seconds > 0")
        if self.max_endpoints < 0 or self.max_lag_rows < 1:
            raise ValueError("expected max_endpoints ≥ 0 and max_lag_rows ≥ 1")

    def endpoints(self) -> int:
        """Parts that one read is split into at most.

        A part costs its reader a millisecond or two. Where server and reader share two cores, a
        third one at the same time gains nothing.
        """
        return self.max_endpoints or min(max(_LEAST_PARTS, os.cpu_count() or 1), _MOST_PARTS)


@dataclass(frozen=True)
class SqlConfig:
    """Bounds of statements of SQL."""

    memory_bytes: int = 536_870_912
    """Memory that one statement may use."""
    threads: int = 2
    """Threads that one statement may use."""
    timeout_seconds: float = 30.0
    """How long a statement may work; waiting for a slow client does not count."""
    result_rows: int = 10_000_000
    """Rows of one answer."""
    result_bytes: int = 1_073_741_824
    """Bytes of one answer."""
    concurrent: int = 2
    """Statements that run at a time, each in a process of its own."""

    def __post_init__(self) -> None:
        if self.timeout_seconds <= 0:
            raise ValueError("expected timeout_seconds > 0")
        if self.memory_bytes < _LEAST_SQL_BYTES:
            raise ValueError(f"expected memory_bytes ≥ {_LEAST_SQL_BYTES}")
        if min(self.threads, self.result_rows, self.result_bytes, self.concurrent) < 1:
            raise ValueError("expected threads, result_rows, result_bytes and concurrent ≥ 1")


@dataclass(frozen=True)
class MaintenanceConfig:
    """What the store does by itself."""

    interval_seconds: float = 60.0
    """How often retention is applied."""

    def __post_init__(self) -> None:
        if self.interval_seconds <= 0:
            raise ValueError("expected interval_seconds > 0")


@dataclass(frozen=True)
class TickStoreConfig:
    """Everything the tick store can be told."""

    registry: str = ""
    """`host:port` of the schema registry; by default where clients of this machine find it."""
    store: StoreConfig = field(default_factory=StoreConfig)
    """Where rows are kept."""
    reading: ReadingConfig = field(default_factory=ReadingConfig)
    """What readers may cost."""
    sql: SqlConfig = field(default_factory=SqlConfig)
    """What statements may cost."""
    maintenance: MaintenanceConfig = field(default_factory=MaintenanceConfig)
    """What it does by itself."""
    serving: ServingConfig = field(
        default_factory=lambda: ServingConfig(grpc_port=7472, flight_port=7482, http_port=7492)
    )
    """Where it listens."""
