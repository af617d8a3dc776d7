"""The registry's settings: section `registry` of tickmesh.toml, `TICKMESH_REGISTRY__…`."""

# Annotations are read at run time to convert what files and variables say.
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tickmesh.settings import Secret, SecretUrl
from tickmesh_serving.config import ServingConfig

MEMORY_URL = "memory:"
_SQLITE_PREFIX = "sqlite:///"
_POSTGRESQL_PREFIXES = ("postgresql://", "postgres://")
_MAX_SESSIONS = 100


class StoreEngine(Enum):
    """What keeps the change log."""

    MEMORY = "memory"
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True)
class StoreConfig:
    """Where the registry keeps its change log."""

    url: SecretUrl = field(default_factory=lambda: SecretUrl(""))
    """`sqlite:///<path>`, `postgresql://<user>:<password>@<host>/<database>` or `memory:`;
    `registry/registry.db` in the home if unset."""
    postgres_sessions: int = 8
    """Transactions that read PostgreSQL at a time; one session more writes, one listens."""

    def __post_init__(self) -> None:
        if self.url.reveal() not in ("", MEMORY_URL) and not self.url.reveal().startswith(
            (_SQLITE_PREFIX, *_POSTGRESQL_PREFIXES)
        ):
            raise ValueError(
                "expected url sqlite:///<path>, postgresql://<user>@<host>/<database> or memory:, "
                f"was {str(self.url)!r}"
            )
        if not 1 <= self.postgres_sessions <= _MAX_SESSIONS:
            raise ValueError(f"expected postgres_sessions from 1 to {_MAX_SESSIONS}")

    @property
    def engine(self) -> StoreEngine:
        """The engine that the url names."""
        if self.url.reveal() == MEMORY_URL:
            return StoreEngine.MEMORY
        if self.url.reveal().startswith(_POSTGRESQL_PREFIXES):
            return StoreEngine.POSTGRESQL
        return StoreEngine.SQLITE

    def sqlite_path(self, home: Path) -> Path:
        """The database file of the SQLite engine."""
        text = self.url.reveal()
        return Path(text.removeprefix(_SQLITE_PREFIX)) if text else home / "registry/registry.db"


@dataclass(frozen=True)
class WatchConfig:
    """Bounds of what watchers may cost."""

    max_watchers: int = 10_000
    """Watch streams at a time."""
    ring_revisions: int = 4_096
    """Revisions held encoded in memory."""
    ring_bytes: int = 16 << 20
    """Bytes of encoded events held in memory."""
    stuck_after_seconds: float = 20.0
    """A watcher that reads nothing for so long is sent away."""

    def __post_init__(self) -> None:
        if min(self.max_watchers, self.ring_revisions, self.ring_bytes) < 1:
            raise ValueError("expected max_watchers, ring_revisions and ring_bytes ≥ 1")
        if self.stuck_after_seconds <= 0:
            raise ValueError("expected stuck_after_seconds > 0")


@dataclass(frozen=True)
class LogConfig:
    """How long the change log reaches back. Versions themselves are kept for ever."""

    keep_revisions: int = 100_000
    """Revisions that a watch can resume from."""
    compact_every_seconds: float = 600.0
    """How often older ones are dropped."""

    def __post_init__(self) -> None:
        if self.keep_revisions < 1 or self.compact_every_seconds <= 0:
            raise ValueError("expected keep_revisions ≥ 1 and compact_every_seconds > 0")


@dataclass(frozen=True)
class CacheConfig:
    """A second tier of caches, shared by replicas."""

    redis_url: Secret | None = None
    """`redis://host:port/number` of a Redis server; no second tier if unset."""
    redis_ttl_seconds: int = 86_400
    """How long Redis keeps a version that nobody asks for."""

    def __post_init__(self) -> None:
        if self.redis_ttl_seconds < 1:
            raise ValueError("expected redis_ttl_seconds ≥ 1")


@dataclass(frozen=True)
class RegistryConfig:
    """Everything the registry can be told."""

    store: StoreConfig = field(default_factory=StoreConfig)
    """Where it keeps its change log."""
    watch: WatchConfig = field(default_factory=WatchConfig)
    """What watchers may cost."""
    log: LogConfig = field(default_factory=LogConfig)
    """How far the change log reaches back."""
    cache: CacheConfig = field(default_factory=CacheConfig)
    """Where replicas share what never changes."""
    serving: ServingConfig = field(
        default_factory=lambda: ServingConfig(grpc_port=7470, http_port=7490)
    )
    """Where it listens."""
