"""Connections to PostgreSQL, bounded in number and in time, and what their failures mean."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from tickmesh.errors import ConfigError, UnavailableError
from tickmesh_registry.domain.errors import StoreUnavailableError

try:
    import asyncpg
except ImportError as error:
    raise ConfigError(
        "a registry on PostgreSQL needs asyncpg: pip install 'tickmesh[postgres]'",
        key="registry.store.url",
    ) from error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from sqlalchemy import Connection

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.registry")

Params = ParamSpec("Params")
Result = TypeVar("Result")

_CONNECT_SECONDS = 10.0
_FIRST_RETRY_SECONDS = 0.1
_LAST_RETRY_SECONDS = 2.0
_COMMAND_SECONDS = 10.0
_CHECKOUT_SECONDS = 5.0

# One writer holds the counter row at a time. A session that froze with it is ended by the server
# before those who wait give up, so a frozen replica delays the others and fails none of them.
SESSION_SETTINGS = {
    "application_name": "tickmesh-registry",
    "lock_timeout": "5s",
    "statement_timeout": "8s",
    "idle_in_transaction_session_timeout": "3s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10s",
    "jit": "off",
}

_RETRY_SECONDS = 1.0
_LOCK_NOT_AVAILABLE = "55P03"
# By class: connection, resources, transaction state, authorization, rollback, operator
# intervention, system; and a database that is gone, or only being read.
_PASSING_CLASSES = frozenset({"08", "53", "25", "28", "40", "57", "58", "3D"})
# Who may enter, and a database that is not there: of these a start does not recover.
_CLASSES_OF_SETTINGS = frozenset({"28", "3D"})
_PASSING_STATES = frozenset({_LOCK_NOT_AVAILABLE, "55000"})
# Idle in a transaction for too long; an operator; a crash of the server; a connection that broke.
_STATES_OF_ENDED_SESSIONS = frozenset({"25P03", "57P01", "57P02", "08003", "08006"})


DRIVER_ERRORS = (asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What asyncpg raises of itself. The second is what it calls an internal error: being asked for
something after the server's word that it ends the session, and before the end of its connection."""


async def open_connection(
    url: str,
    settings: dict[str, str],
    *,
    command_seconds: float | None = _COMMAND_SECONDS,
) -> asyncpg.Connection:
    """Open a connection of its own.

    Args:
        url: As libpq takes it, `?sslmode=` and several hosts included.
        settings: Of the session.
        command_seconds: How long a server that does not answer is waited for; None for ever.
    """
    return await asyncpg.connect(
        url,
        timeout=_CONNECT_SECONDS,
        command_timeout=command_seconds,
        server_settings=SESSION_SETTINGS | settings,
    )


async def patiently(work: Callable[[], Awaitable[Result]], *, give_up_at: float) -> Result:
    """Do what a start needs, again while PostgreSQL is away or cuts it off.

    Args:
        work: Leaves nothing behind when it fails.
        give_up_at: On the monotonic clock; no attempt begins later.

    Raises:
        UnavailableError: PostgreSQL did not answer until then.
        ConfigError: It answers, and the settings are wrong; at once.
    """
    seconds = _FIRST_RETRY_SECONDS
    while True:
        try:
            with told_to_operator():
                return await work()
        except UnavailableError as error:
            pause = seconds * random.uniform(0.5, 1.0)  # noqa: S311 - replicas start together
            if time.monotonic() + pause >= give_up_at:
                raise
            _log.info("registry.store.waiting", reason=error.message)
        await asyncio.sleep(pause)
        seconds = min(seconds * 2, _LAST_RETRY_SECONDS)


class GreenletRunner:
    """Runs plain functions of a connection on the event loop."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def run(
        self, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Run a function that uses the connection, and wait for it."""
        return await self._connection.run_sync(lambda _: function(*args, **kwargs))


class SessionPool:
    """Sessions of one kind.

    Args:
        connect: Opens a connection, given the settings of its session.
        size: How many there are at most.
        isolation: The isolation level of their transactions.
        settings: Of each session.
    """

    def __init__(
        self,
        connect: Callable[[dict[str, str]], Awaitable[asyncpg.Connection]],
        *,
        size: int,
        isolation: str,
        settings: dict[str, str],
    ) -> None:
        async def create() -> asyncpg.Connection:
            return await connect(settings)

        self._engine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=create,
            isolation_level=isolation,
            pool_size=size,
            max_overflow=0,
            pool_timeout=_CHECKOUT_SECONDS,
            hide_parameters=True,
        )

    @asynccontextmanager
    async def begin(
        self, first: Callable[[Connection], Result]
    ) -> AsyncIterator[tuple[AsyncConnection, Result]]:
        """A transaction, rolled back unless it was committed, and what its first work returned.

        A session that the server has closed since it was last used is replaced: nothing was done
        in it, so `first` runs again.
        """
        try:
            session, begun = await self._begun(first)
        except DBAPIError as error:
            if not is_session_ended(error):
                raise
            session, begun = await self._begun(first)
        try:
            yield session, begun
        finally:
            await session.close()

    async def close(self) -> None:
        """Close every session."""
        await self._engine.dispose()

    async def _begun(self, first: Callable[[Connection], Result]) -> tuple[AsyncConnection, Result]:
        session = await self._engine.connect()
        try:
            return session, await session.run_sync(first)
        except BaseException:
            await session.close()
            raise


@contextmanager
def unavailable_on_failure() -> Iterator[None]:
    """Say what a failure of the database means to a caller; nothing was written.

    Raises:
        StoreUnavailableError: It passes by itself.
    """
    try:
        yield
    except (OSError, TimeoutError, PoolTimeoutError, *DRIVER_ERRORS) as error:
        raise _unavailable() from error
    except asyncpg.PostgresError as error:
        if not _passes(error.sqlstate):
            raise
        raise _unavailable(error.sqlstate) from error
    except (IntegrityError, ProgrammingError):
        raise
    except DBAPIError as error:
        state = getattr(error.orig, "sqlstate", None)
        if not (error.connection_invalidated or state is None or _passes(state)):
            raise
        raise _unavailable(state) from error


@contextmanager
def told_to_operator() -> Iterator[None]:
    """Say what a failure of a command means; the address itself stays out, it holds a password.

    Raises:
        UnavailableError: It passes by itself.
        ConfigError: The database cannot be used with these settings.
    """
    try:
        with unavailable_on_failure():
            yield
    except StoreUnavailableError as error:
        cause = error.__cause__ or error
        if not _blames_settings(cause):
            raise UnavailableError(
                f"the PostgreSQL database does not answer: {_brief(cause)}",
                reason=error.reason,
                retry_after_seconds=error.retry_after_seconds,
            ) from error
        raise _unusable(cause) from error
    except (asyncpg.PostgresError, DBAPIError) as error:
        raise _unusable(error) from error


def _unusable(cause: BaseException) -> ConfigError:
    return ConfigError(
        f"cannot use the PostgreSQL database: {_brief(cause)}", key="registry.store.url"
    )


def _blames_settings(cause: BaseException) -> bool:
    """Whether waiting cannot help, although it might help a registry that has worked before."""
    if isinstance(cause, DBAPIError) and cause.orig is not None:
        cause = cause.orig.__cause__ or cause.orig
    if isinstance(cause, asyncpg.PostgresError):
        return (cause.sqlstate or "")[:2] in _CLASSES_OF_SETTINGS
    return isinstance(cause, asyncpg.ClientConfigurationError)


def _brief(error: BaseException) -> str:
    if isinstance(error, DBAPIError) and error.orig is not None:
        error = error.orig.__cause__ or error.orig
    return str(error) or type(error).__name__


def is_lost(error: BaseException) -> bool:
    """Whether nothing is known of a statement because its connection was lost."""
    if isinstance(error, DBAPIError):
        state = getattr(error.orig, "sqlstate", None)
        return error.connection_invalidated or state is None or state[:2] in ("08", "57")
    return isinstance(error, (OSError, TimeoutError, *DRIVER_ERRORS))


def is_session_ended(error: DBAPIError) -> bool:
    """Whether the session is gone, and with it what was not committed.

    What the driver raises of itself has no state.
    """
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state is None or state in _STATES_OF_ENDED_SESSIONS


def is_lock_timeout(error: DBAPIError) -> bool:
    """Whether another session held what was waited for, all the time that one waits."""
    return getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE


def _passes(state: str | None) -> bool:
    return state is None or state[:2] in _PASSING_CLASSES or state in _PASSING_STATES


def _unavailable(state: str | None = None) -> StoreUnavailableError:
    if state == _LOCK_NOT_AVAILABLE:
        text = "another writer holds the store for too long; nothing was written: retry"
    else:
        text = "the store does not answer; nothing was written: retry"
    return StoreUnavailableError(text, retry_after_seconds=_RETRY_SECONDS)
