"""The cleaner's settings: table `[cleaner]`, variables `TICKMESH_CLEANER__…`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tickmesh.settings import SecretUrl
from tickmesh_cleaner.feeds.hosts import FeedHosts
from tickmesh_serving.config import Secret, ServingConfig


@dataclass(frozen=True)
class SourcesConfig:
    """Where jobs may read, and what may be sent."""

    roots: tuple[Path, ...] = ()
    """Directories whose files jobs may read, by their real paths; none unless named here."""
    hosts: tuple[str, ...] = ()
    """Hosts feeds may be read from: `host` (the usual port), `host:port` or `host:*`; no other is
    ever connected, not by a redirect either."""
    max_upload_bytes: int = 16 << 30
    """The most one upload may hold."""
    max_spool_bytes: int = 64 << 30
    """The most all uploads and the spools of all feeds together may hold."""

    def __post_init__(self) -> None:
        if not 0 < self.max_upload_bytes <= self.max_spool_bytes:
            raise ValueError("expected 0 < max_upload_bytes ≤ max_spool_bytes")
        FeedHosts(self.hosts, {})


@dataclass(frozen=True)
class FeedsConfig:
    """How feeds are read."""

    headers: Mapping[str, Secret] = field(default_factory=dict)
    """By `host` or `host:port`: header lines (`Name: value`) that this host alone is shown."""
    max_answer_bytes: int = 64 << 20
    """The most an answer over HTTP may hold, unpacked."""

    def __post_init__(self) -> None:
        if not 0 < self.max_answer_bytes < 1 << 31:
            raise ValueError("expected 0 < max_answer_bytes < 2 GiB")
        FeedHosts((), self.headers)


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
class SinksConfig:
    """Where good rows may go beside the tick store."""

    lake_roots: tuple[Path, ...] = ()
    """Directories Parquet datasets may be written below, by their real paths; none by default."""


_URL = re.compile(r"(postgresql|sqlite)(\+\w+)?://")


@dataclass(frozen=True)
class DatabaseConfig:
    """One database that jobs may name: rows are read from it and written to it."""

    url: SecretUrl
    """Its SQLAlchemy URL: `postgresql://user:password@host/database` or `sqlite:////path`."""
    statement_timeout_seconds: float = 300.0
    """The longest one statement, or in SQLite the wait for a lock, may take."""

    def __post_init__(self) -> None:
        if not _URL.match(self.url.reveal()):
            raise ValueError("expected a url that begins with postgresql:// or sqlite://")
        if not 0 < self.statement_timeout_seconds <= 86_400:
            raise ValueError("expected 0 < statement_timeout_seconds ≤ 86400")


@dataclass(frozen=True)
class CleanerConfig:
    """All settings of the cleaner; where registry and tick store are is the client's table."""

    serving: ServingConfig = field(
        default_factory=lambda: ServingConfig(grpc_port=7471, flight_port=7481, http_port=7491)
    )
    """Where it listens."""
    sources: SourcesConfig = field(default_factory=SourcesConfig)
    """What jobs may read."""
    feeds: FeedsConfig = field(default_factory=FeedsConfig)
    """How feeds are read."""
    jobs: JobsConfig = field(default_factory=JobsConfig)
    """How many jobs there may be."""
    sinks: SinksConfig = field(default_factory=SinksConfig)
    """Where good rows may go."""
    databases: Mapping[str, DatabaseConfig] = field(default_factory=dict)
    """Databases by the names that jobs use."""
