"""A database connection with a thread of its own.

The event loop hands over whole pieces of work, all statements of a write at once, so that a
transaction costs a few hops between threads, not several for every statement.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from .queries import Queries

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Engine

Params = ParamSpec("Params")
Result = TypeVar("Result")


class ConnectionThread:
    """Runs functions on one connection, one after the other.

    Args:
        engine: Makes the connection when it is first needed.
        name: Of the thread.
    """

    def __init__(self, engine: Engine, *, name: str) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connection: Connection | None = None

    async def run(
        self, function: Callable[Params, Result], *args: Params.args, **kwargs: Params.kwargs
    ) -> Result:
        """Run a function in the thread and wait for it."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, partial(function, *args, **kwargs)
        )

    async def transact(self, function: Callable[[Connection], Result]) -> Result:
        """Run a function in the transaction that is open, and commit it; else roll back."""
        return await self.run(self._transact, function)

    async def begin(self) -> Queries:
        """Begin a transaction and read where the store stands."""
        return await self.run(self._begin)

    def end(self) -> None:
        """Roll back what is open, when everything asked before is done; waits for nothing."""
        self._thread.submit(self._end)

    async def close(self) -> None:
        """Close the connection and end the thread."""
        await self.run(self._close)
        self._thread.shutdown(wait=False)

    def _begin(self) -> Queries:
        if self._connection is None:
            self._connection = self._engine.connect()
        self._connection.begin()
        try:
            return Queries(self._connection)
        except BaseException:
            self._end()
            raise

    def _transact(self, function: Callable[[Connection], Result]) -> Result:
        assert self._connection is not None
        try:
            result = function(self._connection)
            self._connection.commit()
        except BaseException:
            self._end()
            raise
        return result

    def _end(self) -> None:
        """Roll back; a connection that cannot even do that is replaced by the next begin."""
        if self._connection is not None and self._connection.in_transaction():
            try:
                self._connection.rollback()
            except Exception:
                self._connection.invalidate()
                self._connection = None
                raise

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._engine.dispose()
