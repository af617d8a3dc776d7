"""The cleaner's settings: table `[cleaner]`, variables `TICKMESH_CLEANER__…`."""

from dataclasses import dataclass, field
from pathlib import Path

from tickmesh_serving.config import ServingConfig


@dataclass(frozen=True)
class SourcesConfig:
    """Where jobs may read, and what may be sent."""

    roots: tuple[Path, ...] = ()
    """Directories whose files jobs may read, by their real paths; none unless named here."""
    max_upload_bytes: int = 16 << 30
    """The most one upload may hold."""
    max_spool_bytes: int = 64 << 30
    """The most all uploads together may hold."""

    def __post_init__(self) -> None:
        if not 0 < self.max_upload_bytes <= self.max_spool_bytes:
            raise ValueError("expected 0 < max_upload_bytes ≤ max_spool_bytes")


@dataclass(frozen=True)
class JobsConfig:
    """How many jobs there may be."""

    max_running: int = 2
    """Jobs that read and judge at a time; others wait their turn."""
    max_unfinished: int = 64
    """Jobs that have not ended; further ones are refused."""

    def __post_init__(self) -> None:
        if not 0 < self.max_running <= self.max_unfinished:
            raise ValueError("expected 0 < max_running ≤ max_unfinished")


@dataclass(frozen=True)
class QuarantineConfig:
    """How much of the quarantine is kept."""

    max_bytes: int = 64 << 30
    """The most its files may hold; beyond it the oldest go first, never one a replay holds."""
    max_age_days: float | None = None
    """How long a file is kept after it was written; until `max_bytes` is reached when not set."""

    def __post_init__(self) -> None:
        if self.max_bytes <= 0:
            raise ValueError("expected max_bytes > 0")
        if self.max_age_days is not None and self.max_age_days <= 0:
            raise ValueError("expected max_age_days > 0")


@dataclass(frozen=True)
class CleanerConfig:
    """All settings of the cleaner; where registry and tick store are is the client's table."""

    serving: ServingConfig = field(
        default_factory=lambda: ServingConfig(grpc_port=7471, flight_port=7481, http_port=7491)
    )
    """Where it listens."""
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    """What jobs may read."""
    jobs: JobsConfig = field(default_factory=JobsConfig)
    """How many jobs there may be."""
    quarantine: QuarantineConfig = field(default_factory=QuarantineConfig)
    """How much of the quarantine is kept."""
