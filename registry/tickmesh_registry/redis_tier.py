"""Redis as a second tier of caches, shared by replicas.

It holds what never changes, under keys that name the store's epoch, and nothing here trusts it: a
value carries a digest of itself and its key, calls are short and bounded in number, and while Redis
is away a breaker keeps it from being asked. Losing it costs reads of the store, nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, cast

import structlog

from tickmesh.errors import ConfigError

from .breaker import CircuitBreaker
from .cache import CacheTier

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from tickmesh_serving.clock import Clock

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.registry.redis")

_CALL_SECONDS = 0.05
_MAX_CALLS = 32
_MAX_WRITES_WAITING = 256
_MAX_VALUE_BYTES = 4 << 20
_DIGEST_BYTES = 16
_CONFIG_KEY = "registry.cache.redis_url"


def connect(url: str) -> Redis:
    """A client of the Redis server at a URL; connects when it is first used.

    Raises:
        ConfigError: The URL is none of Redis, or the client library is missing.
    """
    try:
        from redis.asyncio import Redis
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff
    except ImportError:
        raise ConfigError(
            "a second cache tier needs the Redis client: pip install 'tickmesh[redis]'",
            key=_CONFIG_KEY,
        ) from None
    try:
        return Redis.from_url(
            url,
            socket_timeout=_CALL_SECONDS,
            socket_connect_timeout=_CALL_SECONDS,
            max_connections=2 * _MAX_CALLS,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        # The text of the error would repeat the URL, which may hold a password.
        raise ConfigError(
            "expected redis://host:port/number, rediss://… or unix://…", key=_CONFIG_KEY
        ) from None


class RedisTier:
    """Bytes by key that never change.

    Args:
        client: As `connect` makes it.
        clock: For the breaker.
        ttl_seconds: How long Redis keeps an entry.
    """

    def __init__(self, client: Redis, *, clock: Clock, ttl_seconds: int) -> None:
        self._client = client
        self._ttl_seconds = ttl_seconds
        self._breaker = CircuitBreaker(clock)
        self._calls = 0
        self._writes: set[asyncio.Task[None]] = set()
        self.hits = 0
        self.misses = 0
        self.errors = 0

    async def get(self, key: str) -> bytes | None:
        """The value put under a key, none when Redis has none or cannot say."""
        content: bytes | None = None
        if self._calls < _MAX_CALLS and self._breaker.admits():
            content = await self._read(key)
        if content is None:
            self.misses += 1
        else:
            self.hits += 1
        return content

    def put(self, key: str, content: bytes) -> None:
        """Offer a value; returns at once, and what cannot be written is forgotten."""
        if len(self._writes) >= _MAX_WRITES_WAITING or len(content) > _MAX_VALUE_BYTES:
            return
        if self._breaker.is_open:
            return
        write = asyncio.get_running_loop().create_task(self._write(key, content))
        self._writes.add(write)
        write.add_done_callback(self._writes.discard)

    def tier(self) -> CacheTier:
        """How it is doing, as seen from here."""
        return CacheTier("redis", hits=self.hits, misses=self.misses, errors=self.errors)

    async def close(self) -> None:
        """End the writes under way and the connections."""
        for write in self._writes:
            write.cancel()
        await asyncio.gather(*self._writes, return_exceptions=True)
        await self._client.aclose()

    async def _read(self, key: str) -> bytes | None:
        self._calls += 1
        try:
            value = cast("bytes | None", await self._client.get(key))
            content = None if value is None else _opened(key, value)
        except Exception as error:  # noqa: BLE001 - whatever a broken cache does, the store answers
            self._failed(error)
            return None
        finally:
            self._calls -= 1
        self._succeeded()
        return content

    async def _write(self, key: str, content: bytes) -> None:
        try:
            await self._client.set(key, _sealed(key, content), ex=self._ttl_seconds)
        except Exception as error:  # noqa: BLE001 - whatever a broken cache does, the store has it
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.errors += 1
        was_open = self._breaker.is_open
        self._breaker.failed()
        if self._breaker.is_open and not was_open:
            _log.warning(
                "registry.redis.away",
                error=type(error).__name__,
                consequence="versions come from memory and the store until it answers again",
            )

    def _succeeded(self) -> None:
        if self._breaker.is_open:
            _log.info("registry.redis.back")
        self._breaker.succeeded()


def _sealed(key: str, content: bytes) -> bytes:
    return _digest(key, content) + content


def _opened(key: str, value: bytes) -> bytes:
    content = value[_DIGEST_BYTES:]
    if value[:_DIGEST_BYTES] != _digest(key, content):
        raise ValueError("the value is not what was put under this key")
    return content


def _digest(key: str, content: bytes) -> bytes:
    return hashlib.sha256(key.encode() + b"\0" + content).digest()[:_DIGEST_BYTES]
