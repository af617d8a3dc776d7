"""Who holds the counter row, stands still, and is in no state that the server's timeouts end.

A replica may be stopped between two messages of one statement (its driver sends Parse and Flush,
and Bind and Sync later) or while an answer is on its way to it. For the server such a session is
active, so `idle_in_transaction_session_timeout` does not count, and `statement_timeout` does not
interrupt the reading or writing of a socket. Those who wait for the row end the session.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import structlog

from tickmesh_registry.domain.errors import StoreUnavailableError

from .postgres_session import unavailable_on_failure

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    import asyncpg

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.registry")

# Later than the server ends an idle holder (3 s), sooner than a waiting writer gives up (5 s).
_LOOK_AFTER_SECONDS = 3.5

# Only sessions of registries: what anybody else holds is not ours to end. One that idles is the
# server's to end, or may idle: a restore's. A row that is locked names in xmax the transaction that
# holds it. The session is ended in the select list, which is computed of the rows that are left; a
# condition may be tried before the others.
_END_STALLED_HOLDER = """
SELECT pid, pg_terminate_backend(pid)
FROM pg_stat_activity JOIN registry_clock ON backend_xid = registry_clock.xmax
WHERE datname = current_database()
  AND application_name = current_setting('application_name')
  AND state = 'active'
  AND wait_event_type = 'Client'
  AND state_change < clock_timestamp() - interval '3 seconds'
"""


class StalledHolder:
    """Ends the session that a write waits for in vain.

    Args:
        connect: Opens a session of its own, in the schema of the store.

    Attributes:
        ended: How many sessions it has ended.
    """

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._looking: set[asyncio.Task[None]] = set()
        self.ended = 0

    @contextmanager
    def ended_while_waiting(self) -> Iterator[None]:
        """Around a wait for the counter row, on the event loop."""
        timer = asyncio.get_running_loop().call_later(_LOOK_AFTER_SECONDS, self._look)
        try:
            yield
        finally:
            timer.cancel()

    async def settle(self) -> None:
        """Wait for what has begun; a look takes no longer than its statement may."""
        if self._looking:
            await asyncio.wait(self._looking)

    def _look(self) -> None:
        task = asyncio.create_task(self._end())
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _end(self) -> None:
        # A server that cannot be asked will not give the row either: the writer is told.
        with suppress(StoreUnavailableError), unavailable_on_failure():
            connection = await self._connect()
            try:
                ended = await connection.fetch(_END_STALLED_HOLDER)
            finally:
                connection.terminate()
            self.ended += len(ended)
            for row in ended:
                _log.warning(
                    "registry.store.holder.ended",
                    cause="another replica's session stood still while it held the counter row",
                    server_process=row["pid"],
                )
