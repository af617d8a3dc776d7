"""SQL over datasets: one read-only statement, in a process of its own, with bounds on everything.

A statement sees the tables it is given and nothing else. It has a memory limit, a thread limit and
a timeout; its answer is streamed and bounded in rows and bytes; so many run at a time. A client
that leaves ends its statement.
"""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tickmesh_tickstore.domain.errors import (
    LimitExceededError,
    QueryInvalidError,
    QueryTimeoutError,
    StoreClosedError,
)
from tickmesh_tickstore.domain.filters import filter_from_json
from tickmesh_tickstore.queries.sql_channel import (
    Channel,
    readable,
    schema_from_text,
    schema_to_text,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence

    from tickmesh_tickstore.domain.filters import Filter

__all__ = ["SqlLimits", "SqlParameter", "SqlSandbox", "SqlScan", "SqlTable"]

_MIB = 1 << 20
_POLL_SECONDS = 0.05
_MOST_CHARACTERS = 100_000
_MOST_PATIENCE = 20
"""A client may take so many times the timeout to fetch an answer."""

SqlParameter = tuple[str, "str | int | float | bool"]
"""A type of DuckDB, and the value: text for DECIMAL and TIMESTAMPTZ_NS, hexadecimal for BLOB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlLimits:
    """Bounds of statements.

    Attributes:
        memory_bytes: Memory that one statement may use.
        threads: Threads that one statement may use.
        timeout_seconds: How long one may work.
        result_rows: Rows of one answer.
        result_bytes: Bytes of one answer.
        concurrent: Statements that run at a time.
        wait_seconds: How long a further one waits for its turn before it is refused.
    """

    memory_bytes: int = 512 * _MIB
    threads: int = 2
    timeout_seconds: float = 30.0
    result_rows: int = 10_000_000
    result_bytes: int = 1024 * _MIB
    concurrent: int = 2
    wait_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class SqlScan:
    """What one scan of a table has to bring. Other rows may come too: the engine filters as well.

    Attributes:
        columns: The columns, in this order.
        start_ns: First event time wanted, ns since the epoch; None for no bound.
        end_ns: First event time behind it.
        filter: True of every row that is wanted; None where nothing is known.
    """

    columns: tuple[str, ...]
    start_ns: int | None = None
    end_ns: int | None = None
    filter: Filter | None = None


@dataclass(frozen=True, slots=True)
class SqlTable:
    """A table that a statement may read.

    Attributes:
        schema: Its columns.
        scan: Begins to read what is asked for; called once a scan.
        event_time: Name of the event time column, if there is one.
        choosable: The columns that rows may be chosen by.
    """

    schema: pa.Schema
    scan: Callable[[SqlScan], Iterable[pa.RecordBatch]]
    event_time: str | None = None
    choosable: frozenset[str] = frozenset()


class SqlSandbox:
    """Runs statements, each in a process that is ended when it does not end by itself."""

    def __init__(
        self, limits: SqlLimits, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Nothing is started before the first statement."""
        self.limits = limits
        self._monotonic = monotonic
        self._places = threading.BoundedSemaphore(limits.concurrent)
        self._lock = threading.Lock()
        self._idle: list[_Process] = []
        self._running: set[_Process] = set()
        self._closed = False

    def named_tables(self, query: str) -> tuple[str, ...]:
        """The tables that a statement names.

        Raises:
            QueryInvalidError: It cannot be parsed, or is not one statement that only reads.
            LimitExceededError: Too many statements run, or it needs too much memory.
            QueryTimeoutError: It takes too long even to be understood.
        """
        if len(query) > _MOST_CHARACTERS:
            raise QueryInvalidError(
                f"a statement has at most {_MOST_CHARACTERS} characters, got {len(query)}",
                metadata={"characters": str(len(query))},
            )
        with self._statement(_never) as statement:
            return tuple(statement.ask({"named": query})["tables"])

    def schema(
        self,
        query: str,
        tables: Mapping[str, SqlTable],
        parameters: Sequence[SqlParameter] = (),
    ) -> pa.Schema:
        """The schema of a statement's answer, found without reading a row.

        Raises:
            QueryInvalidError, LimitExceededError, QueryTimeoutError: As for `run`.
        """
        with self._statement(_never) as statement:
            answer = statement.ask(self._request(query, tables, parameters))
            return schema_from_text(answer["schema"])

    def run(
        self,
        query: str,
        tables: Mapping[str, SqlTable],
        parameters: Sequence[SqlParameter] = (),
        *,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Generator[pa.RecordBatch, None, None]:
        """The answer, as it is made, of a statement that `named_tables` let pass.

        Close it to end the statement early.

        Args:
            query: The statement.
            tables: Every table it names.
            parameters: Values of `$1`, `$2`, …
            stopped: Whether nobody waits for the answer any more.

        Raises:
            QueryInvalidError: It names columns or functions there are not, or fails on its rows.
            LimitExceededError: It needs more memory or answers more rows than allowed, or too
                many statements run.
            QueryTimeoutError: It takes too long.
        """
        with self._statement(stopped) as statement:
            rows = size = 0
            for batch in statement.stream(self._request(query, tables, parameters), tables):
                rows, size = rows + batch.num_rows, size + batch.nbytes
                self._require_within(rows, size)
                with statement.paused():
                    yield batch

    def close(self) -> None:
        """End every statement and every process."""
        with self._lock:
            self._closed = True
            processes = [*self._idle, *self._running]
            self._idle.clear()
        for process in processes:
            process.end()

    def _request(
        self, query: str, tables: Mapping[str, SqlTable], parameters: Sequence[SqlParameter]
    ) -> dict[str, Any]:
        return {
            "query": query,
            "tables": {
                name: {
                    "schema": schema_to_text(table.schema),
                    "event_time": table.event_time,
                    "choosable": sorted(table.choosable),
                }
                for name, table in tables.items()
            },
            "parameters": list(parameters),
            "memory_bytes": self.limits.memory_bytes,
            "threads": self.limits.threads,
        }

    def _require_within(self, rows: int, size: int) -> None:
        limits = self.limits
        if rows > limits.result_rows or size > limits.result_bytes:
            raise LimitExceededError(
                f"the answer has more than {limits.result_rows} rows or {limits.result_bytes} "
                "bytes: aggregate, add a LIMIT, or read the rows by a range without SQL",
                metadata={
                    "maxRows": str(limits.result_rows),
                    "maxBytes": str(limits.result_bytes),
                },
            )

    @contextmanager
    def _statement(self, stopped: Callable[[], bool]) -> Iterator[_Statement]:
        if not self._places.acquire(timeout=self.limits.wait_seconds):
            raise LimitExceededError(
                f"{self.limits.concurrent} statements are running, which is the limit: try again "
                "in a moment",
                metadata={"concurrent": str(self.limits.concurrent)},
            )
        try:
            process = self._take()
            statement = _Statement(process, self.limits, stopped, self._monotonic)
            try:
                yield statement
            finally:
                self._give_back(process, usable=statement.is_over)
        finally:
            self._places.release()

    def _take(self) -> _Process:
        with self._lock:
            if self._closed:
                raise StoreClosedError("the store is shutting down: try again in a moment")
            process = self._idle.pop() if self._idle else _Process(self.limits)
            self._running.add(process)
            return process

    def _give_back(self, process: _Process, *, usable: bool) -> None:
        with self._lock:
            self._running.discard(process)
            if usable and not self._closed and not self._idle:
                self._idle.append(process)
                return
        process.end()


def _never() -> bool:
    return False


class _Process:
    """A worker and the store's end of the conversation with it."""

    def __init__(self, limits: SqlLimits) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            # DuckDB keeps to its own limit where it can; the kernel's leaves it room to say so.
            self._process = subprocess.Popen(  # noqa: S603 - this very interpreter
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "tickmesh_tickstore.queries.sql_worker",
                    str(theirs.fileno()),
                    str(2 * limits.memory_bytes),
                ],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Nothing of the store's environment, and no signal meant for its terminal. Arrow's
                # own pools take a gigabyte of address space at once, which would blur the limit.
                env={
                    "ARROW_DEFAULT_MEMORY_POOL": "system",
                    "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
                },
                cwd="/",
                start_new_session=True,
            )
        self.channel = Channel(ours)
        self.is_ready = False

    def end(self) -> None:
        """Kill it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self.channel.close()


class _Statement:
    """One statement in its process: requests, scans of tables, and what ends it early."""

    def __init__(
        self,
        process: _Process,
        limits: SqlLimits,
        stopped: Callable[[], bool],
        monotonic: Callable[[], float],
    ) -> None:
        self._process = process
        self._limits = limits
        self._stopped = stopped
        self._monotonic = monotonic
        now = monotonic()
        self._deadline = now + limits.timeout_seconds
        self._last = now + limits.timeout_seconds * _MOST_PATIENCE
        self._paused_since: float | None = None
        self._failure: BaseException | None = None
        self._ended = False
        self.is_over = True

    def ask(
        self,
        request: dict[str, Any],
        tables: Mapping[str, SqlTable] | None = None,
        stream: socket.socket | None = None,
    ) -> dict[str, Any]:
        """Send a request; serve what it scans until its answer comes."""
        self.is_over = False
        channel = self._process.channel
        # Not `select.select`: a store has more descriptors open than that can name.
        answers = select.poll()
        answers.register(channel, select.POLLIN)
        channel.send(request, stream)
        while True:
            if answers.poll(_POLL_SECONDS * 1_000):
                message, _ = channel.receive()
                if message is None:
                    raise self._failure or self._early_end()
                if "ready" in message:
                    self._process.is_ready = True
                    continue
                if "scan" not in message:
                    # What ran out of memory is better begun afresh.
                    self.is_over = "memory" not in message
                    return self._understood(message)
                self._serve_scan((tables or {})[message["scan"]], message)
            self._require_going_on()

    def stream(
        self, request: dict[str, Any], tables: Mapping[str, SqlTable]
    ) -> Iterator[pa.RecordBatch]:
        """The rows of the answer to a request."""
        ours, theirs = socket.socketpair()
        attendant = threading.Thread(
            target=self._attend, args=(request, tables, theirs), name="sql", daemon=True
        )
        attendant.start()
        try:
            try:
                with readable(ours) as rows, pa.ipc.open_stream(rows) as reader:
                    for batch in reader:
                        # Rows that were cut short must not be taken for all.
                        if self._failure is not None:
                            break
                        yield batch
            except (pa.ArrowException, OSError):
                # The worker ended in the middle: the reason comes from the attendant.
                if self._failure is None and self._ended:
                    raise
            attendant.join()
            if self._failure is not None:
                raise self._failure
        finally:
            self._ended = True
            attendant.join()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While the client takes what it was given, the clock stands still."""
        self._paused_since = self._monotonic()
        try:
            yield
        finally:
            since, self._paused_since = self._paused_since, None
            self._deadline += self._monotonic() - since

    def _attend(
        self,
        request: dict[str, Any],
        tables: Mapping[str, SqlTable],
        theirs: socket.socket,
    ) -> None:
        with theirs:
            try:
                self.ask(request, tables, theirs)
            except BaseException as error:  # noqa: BLE001 - raised where the answer is read
                self._failure = self._failure or error
                if not self.is_over:
                    self._process.end()
                # Whatever the worker does with its copy, whoever reads the answer waits no more.
                theirs.shutdown(socket.SHUT_RDWR)

    def _serve_scan(self, table: SqlTable, asked: dict[str, Any]) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process.channel.send({"rows": True}, theirs)
        threading.Thread(
            target=self._send_rows, args=(table, asked, ours), name="sql-scan", daemon=True
        ).start()

    def _send_rows(self, table: SqlTable, asked: dict[str, Any], stream: socket.socket) -> None:
        schema = pa.schema([table.schema.field(name) for name in asked["columns"]])
        try:
            with stream, stream.makefile("wb") as file, pa.ipc.new_stream(file, schema) as writer:
                for batch in self._scanned(table, asked):
                    writer.write_batch(batch)
        except (OSError, pa.ArrowException):
            # The statement needs no more rows, or is over; what failed in the store is noted.
            return

    def _scanned(self, table: SqlTable, asked: dict[str, Any]) -> Iterator[pa.RecordBatch]:
        """Rows of a table; a failure is noted before the worker can take what came for all."""
        try:
            (start_ns, end_ns), wanted = asked["times"], asked["filter"]
            yield from table.scan(
                SqlScan(
                    tuple(asked["columns"]),
                    start_ns,
                    end_ns,
                    None if wanted is None else filter_from_json(wanted),
                )
            )
        except GeneratorExit:
            # Nobody takes more rows: the worker needs none or is gone, and why is told elsewhere.
            raise
        except BaseException as error:
            self._failure = self._failure or error
            self._process.end()
            raise OSError("the rows cannot be read") from error

    def _require_going_on(self) -> None:
        if self._ended or self._stopped():
            raise StoreClosedError("nobody waits for the answer any more")
        now = self._monotonic()
        if now > self._last or (self._paused_since is None and now > self._deadline):
            seconds = self._limits.timeout_seconds
            raise QueryTimeoutError(
                f"a statement may work for {seconds:g} seconds: narrow its time range by a table "
                "with start and end, or aggregate earlier",
                metadata={"timeoutSeconds": f"{seconds:g}"},
            )

    def _understood(self, message: dict[str, Any]) -> dict[str, Any]:
        if "refused" in message:
            raise QueryInvalidError(message["refused"])
        if "memory" in message:
            raise self._out_of_memory()
        if "failed" in message:
            raise self._failure or RuntimeError(message["failed"])
        return message

    def _early_end(self) -> Exception:
        if not self._process.is_ready:
            return RuntimeError("the process for SQL does not start: is duckdb installed?")
        # The kernel refused it memory where DuckDB could not say so.
        return self._out_of_memory()

    def _out_of_memory(self) -> LimitExceededError:
        return LimitExceededError(
            f"the statement needs more than the {self._limits.memory_bytes} bytes of memory it may "
            "use: name fewer columns, narrow the time range, or aggregate earlier",
            metadata={"memoryBytes": str(self._limits.memory_bytes)},
        )
