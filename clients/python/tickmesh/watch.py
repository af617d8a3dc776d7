"""The resumable watch: how a client follows the change log without losing or repeating an event.

gRPC never reopens a stream by itself, so resuming is done here: by revision, with a gap check,
full-jitter backoff and a limit on silence. The state machine is shared by the sync and the async
client; `follow` and `follow_async` are the two loops around it.

A stream that fell silent may lie on a connection that is dead without saying so, and so would the
next one: the watch leaves that connection behind.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import grpc

from tickmesh._registry.messages import event_from_wire
from tickmesh._wire.status import error_from_rpc
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as wire
from tickmesh.errors import (
    EpochChangedError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    TickmeshError,
    UnauthenticatedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tickmesh.api.registry.v1 import schema_pb2
    from tickmesh.registered import ChangeEvent, RegisteredSchema

FIRST_DELAY_SECONDS = 0.2
DELAY_GROWTH = 1.6
LONGEST_DELAY_SECONDS = 10.0
DEFAULT_PROGRESS_SECONDS = 10.0
SILENCE_INTERVALS = 3
SILENT = "WATCH_SILENT"
"""The reason of an interruption that silence made."""

_FINAL_ERRORS = (
    EpochChangedError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
    PermissionDeniedError,
    UnauthenticatedError,
)


class WatchKind(StrEnum):
    """What a message of a watch is."""

    EVENTS = "events"
    SNAPSHOT = "snapshot"
    PROGRESS = "progress"


@dataclass(frozen=True, slots=True)
class WatchMessage:
    """One whole revision, a whole snapshot, or the news that nothing is missing up to `revision`.

    Persist `token` once the message is handled: a watch started after it goes on from there.
    """

    kind: WatchKind
    revision: int
    token: str
    events: tuple[ChangeEvent, ...]


class WatchCursor:
    """Where a watch stands: builds the next request, checks each response, spaces retries."""

    def __init__(
        self,
        request: wire.WatchRequest,
        *,
        complete: Callable[[schema_pb2.SchemaVersion], RegisteredSchema],
    ) -> None:
        """Begin at the start that `request` names; `complete` reads schema versions."""
        self._request = request
        self._complete = complete
        self._token = ""
        self._revision = 0
        self._on_stream = 0
        self._parts: list[ChangeEvent] = []
        self._failures = 0

    @property
    def revision(self) -> int:
        """The revision up to which everything was delivered."""
        return self._revision

    def next_request(self) -> wire.WatchRequest:
        """The request that opens the stream again where the last one ended."""
        self._parts.clear()
        self._on_stream = 0
        if not self._token:
            return self._request
        request = wire.WatchRequest()
        request.CopyFrom(self._request)
        request.after_token = self._token
        return request

    def accept(self, response: wire.WatchResponse) -> WatchMessage | None:
        """Check a response and hand over what it completes; None while parts are missing.

        Raises:
            UnavailableError: a response is missing between the last one and this one; the watch
                reopens after the last complete revision.
        """
        if response.prev_revision != self._on_stream:
            message = (
                f"expected the response after revision {self._on_stream}, "
                f"was after {response.prev_revision}"
            )
            raise UnavailableError(message, reason="WATCH_GAP")
        self._on_stream = response.revision
        self._failures = 0
        kind = response.kind
        if kind == wire.WatchResponse.KIND_DRAINING:
            return None
        events = (event_from_wire(event, complete=self._complete) for event in response.events)
        self._parts.extend(events)
        if kind == wire.WatchResponse.KIND_SNAPSHOT_PART or response.fragment:
            return None
        if kind == wire.WatchResponse.KIND_EVENTS and response.revision <= self._revision:
            self._parts.clear()
            return None
        names = {
            wire.WatchResponse.KIND_EVENTS: WatchKind.EVENTS,
            wire.WatchResponse.KIND_SNAPSHOT_END: WatchKind.SNAPSHOT,
        }
        self._token = response.token
        self._revision = max(self._revision, response.revision)
        whole = tuple(self._parts)
        self._parts.clear()
        return WatchMessage(
            kind=names.get(kind, WatchKind.PROGRESS),
            revision=response.revision,
            token=response.token,
            events=whole,
        )

    def delay_after(self, error: TickmeshError | None) -> float:
        """Seconds to wait before reopening: full jitter, or what the server asked for.

        Raises:
            TickmeshError: `error` itself, when resuming cannot help.
        """
        if isinstance(error, _FINAL_ERRORS):
            raise error
        asked = getattr(error, "retry_after_seconds", None)
        ceiling = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * DELAY_GROWTH**self._failures)
        self._failures += 1
        if asked is not None:
            return float(asked)
        return random.uniform(0.0, ceiling)  # noqa: S311 - jitter, no secret


def silence_limit(request: wire.WatchRequest) -> float:
    """Seconds without any message after which a stream counts as half-open."""
    interval = request.progress_interval
    seconds = interval.seconds + interval.nanos / 1e9
    return SILENCE_INTERVALS * (seconds or DEFAULT_PROGRESS_SECONDS)


class _Cancellable(Protocol):
    def cancel(self) -> bool: ...


class _SilenceGuard:
    """Cancels a stream on which nothing arrived for too long while somebody waited for it."""

    def __init__(self, call: _Cancellable, limit_seconds: float) -> None:
        self.found_silent = False
        self._call = call
        self._limit_seconds = limit_seconds
        self._waiting_since: float | None = None
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tickmesh-watch-guard", daemon=True)

    def begin_wait(self) -> None:
        self._waiting_since = time.monotonic()

    def end_wait(self) -> None:
        self._waiting_since = None

    @contextmanager
    def running(self) -> Iterator[None]:
        self._thread.start()
        try:
            yield
        finally:
            self._done.set()
            self._call.cancel()
            self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(self._limit_seconds / 3):
            since = self._waiting_since
            if since is not None and time.monotonic() - since > self._limit_seconds:
                self.found_silent = True
                self._call.cancel()
                return


class SyncWatchCall(_Cancellable, Protocol):
    """A server stream of watch responses, read by iterating."""

    def __iter__(self) -> Iterator[wire.WatchResponse]: ...

    def is_active(self) -> bool:
        """Whether the stream has not ended."""


class SyncWatchConnection(Protocol):
    """Where the streams of one watch are opened."""

    def open(self, request: wire.WatchRequest) -> SyncWatchCall:
        """Open a stream."""
        ...

    def renew(self) -> None:
        """Open later streams on a new connection: this one is taken for dead."""
        ...

    def close(self) -> None:
        """Give back a connection that was made for this watch alone."""
        ...


class AsyncWatchConnection(Protocol):
    """Where the streams of one watch are opened; see `SyncWatchConnection`."""

    def open(
        self, request: wire.WatchRequest
    ) -> grpc.aio.UnaryStreamCall[wire.WatchRequest, wire.WatchResponse]:
        """Open a stream."""
        ...

    async def renew(self) -> None:
        """Open later streams on a new connection: this one is taken for dead."""
        ...

    async def close(self) -> None:
        """Give back a connection that was made for this watch alone."""
        ...


def follow(
    connection: SyncWatchConnection,
    cursor: WatchCursor,
    *,
    stopped: threading.Event,
    on_interruption: Callable[[TickmeshError | None], None] = lambda _: None,
) -> Iterator[WatchMessage]:
    """Yield messages until `stopped` is set, reopening the stream whenever it breaks.

    Args:
        connection: opens the calls; whoever sets `stopped` must also cancel the open call.
        cursor: where to start.
        stopped: ends the iteration.
        on_interruption: told of every break before the wait.

    Raises:
        TickmeshError: the start was compacted or lies ahead of the store, the store changed, or
            the call is not allowed.
    """
    try:
        while not stopped.is_set():
            error: TickmeshError | None = None
            request = cursor.next_request()
            limit = silence_limit(request)
            try:
                call = connection.open(request)
            except ValueError:  # what grpc raises on a channel that was closed since `stopped` was
                if stopped.is_set():
                    return
                raise
            guard = _SilenceGuard(call, limit)
            try:
                with guard.running():
                    guard.begin_wait()
                    for response in call:
                        guard.end_wait()
                        message = cursor.accept(response)
                        if message is not None:
                            yield message
                        guard.begin_wait()
            except grpc.RpcError as failure:
                error = error_from_rpc(failure)
            except UnavailableError as gap:
                error = gap
            if stopped.is_set():
                return
            if guard.found_silent:
                error = _silent(limit)
                connection.renew()
            on_interruption(error)
            stopped.wait(cursor.delay_after(error))
    finally:
        connection.close()


async def follow_async(
    connection: AsyncWatchConnection,
    cursor: WatchCursor,
    *,
    prepare: Callable[[wire.WatchResponse], Awaitable[None]],
    on_interruption: Callable[[TickmeshError | None], None] = lambda _: None,
) -> AsyncIterator[WatchMessage]:
    """Yield messages until the consumer stops; `prepare` may fetch what a response refers to.

    Raises:
        TickmeshError: the start was compacted or lies ahead of the store, the store changed, or
            the call is not allowed.
    """
    try:
        while True:
            error: TickmeshError | None = None
            request = cursor.next_request()
            limit = silence_limit(request)
            call = connection.open(request)
            try:
                while True:
                    # Not wait_for: before Python 3.12 it forgets that it was cancelled where the
                    # answer comes at that moment, and a client that closes would wait for ever.
                    async with asyncio.timeout(limit):
                        response = await call.read()
                    if not isinstance(response, wire.WatchResponse):
                        break
                    await prepare(response)
                    message = cursor.accept(response)
                    if message is not None:
                        yield message
            except grpc.RpcError as failure:
                error = error_from_rpc(failure)
            except TimeoutError:
                error = _silent(limit)
            except UnavailableError as gap:
                error = gap
            finally:
                # An abandoned call would never be collected, so it is always cancelled.
                with suppress(Exception):
                    call.cancel()
            if error is not None and error.reason == SILENT:
                await connection.renew()
            on_interruption(error)
            await asyncio.sleep(cursor.delay_after(error))
    finally:
        await connection.close()


def _silent(limit_seconds: float) -> UnavailableError:
    message = f"the watch was silent for {limit_seconds:.0f} s; it goes on on a new connection"
    return UnavailableError(message, reason=SILENT)
