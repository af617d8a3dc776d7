"""The first and the last that the Flight server sees of a call: its headers, its place, its end."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TYPE_CHECKING

import grpc
import pyarrow as pa
import structlog
from pyarrow import flight

from tickmesh._wire.metadata import REQUEST_ID
from tickmesh._wire.status import build_status, flight_error
from tickmesh.errors import ResourceExhaustedError, TickmeshError
from tickmesh_serving.call_context import enter_call
from tickmesh_serving.lifecycle import RETRY_AFTER_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh_serving.interceptors.chain import Chain
    from tickmesh_serving.rpc_call import RpcCall

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.flight")

MIDDLEWARE = "tickmesh"
"""The name under which a handler finds the middleware of its call."""

_STREAMS = frozenset(
    {flight.FlightMethod.DO_GET, flight.FlightMethod.DO_PUT, flight.FlightMethod.DO_EXCHANGE}
)


class CallMiddleware(flight.ServerMiddleware):
    """Carries one call from its headers to its end; pyarrow keeps it on the call's own thread."""

    def __init__(
        self,
        headers: dict[str, str],
        chain: Chain,
        *,
        release: Callable[[CallMiddleware], None],
        settled: Callable[[], None],
    ) -> None:
        super().__init__()
        self.headers = headers
        self.call: RpcCall | None = None
        self.charged_to: str | None = None
        self._chain = chain
        self._release = release
        self._settled = settled
        self._lock = threading.Lock()
        self._is_settled = False

    def settle(self) -> None:
        """Say that a server which goes down need not wait for this call; see `FlightCall`."""
        with self._lock:
            if self._is_settled:
                return
            self._is_settled = True
        self._settled()

    def sending_headers(self) -> dict[str, list[str] | list[bytes]]:
        """Tell the client the name of its call."""
        return {} if self.call is None else {REQUEST_ID: [self.call.request_id]}

    def call_completed(self, exception: pa.ArrowException | None) -> None:
        """Close the call, its stream included."""
        self.settle()
        self._release(self)
        enter_call(None)
        if self.call is None:
            return
        if exception is not None and self.call.error is None:
            # A C++ reader failed in mid-stream, or the client went away: pyarrow has answered.
            self.call.code = "CANCELLED" if means_cancelled(exception) else "INTERNAL"
            _log.warning(
                "flight.stream.broken", request_id=self.call.request_id, error=str(exception)
            )
        self._chain.end(self.call)


class Admission(flight.ServerMiddlewareFactory):
    """Refuses calls before they cost anything: no server yet or any more, or too many streams."""

    def __init__(
        self, chain: Chain, *, max_streams: int, max_streams_per_principal: int = 0
    ) -> None:
        super().__init__()
        self._chain = chain
        self._max = max_streams
        self._max_of_one = max_streams_per_principal
        self._streams_of: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._running = {True: 0, False: 0}  # streams, and calls that are none
        self._unsettled = 0
        self._all_settled = threading.Condition(self._lock)

    def start_call(
        self, info: flight.CallInfo, headers: dict[str, list[str] | list[bytes]]
    ) -> CallMiddleware:
        """Let a call in, or refuse it."""
        stream = info.method in _STREAMS
        try:
            self._chain.lifecycle.admit()
            self._take(stream=stream)
        except TickmeshError as error:
            raise _refusal(error) from None
        middleware = CallMiddleware(
            {
                key.lower(): values[0]
                for key, values in headers.items()
                if values and isinstance(values[0], str)
            },
            self._chain,
            release=lambda middleware: self._give_back(middleware, stream=stream),
            settled=self._settle,
        )
        try:
            # A server that went down in between may not have seen this call among those it waits
            # for; one that goes down from now on does.
            self._chain.lifecycle.admit()
        except TickmeshError as error:
            middleware.settle()
            self._give_back(middleware, stream=stream)
            raise _refusal(error) from None
        return middleware

    def charge(self, middleware: CallMiddleware, principal: str) -> None:
        """Count a stream as its principal's, who is known only now.

        Raises:
            ResourceExhaustedError: the principal has as many as it may.
        """
        if not self._max_of_one:
            return
        with self._lock:
            if self._streams_of[principal] < self._max_of_one:
                self._streams_of[principal] += 1
                middleware.charged_to = principal
                return
        raise ResourceExhaustedError(
            f"{principal} has {self._max_of_one} streams open, which is the limit of one "
            "principal; close one, or retry",
            reason="TOO_MANY_STREAMS",
            metadata={"maxStreams": str(self._max_of_one), "principal": principal},
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )

    def wait_until_settled(self) -> None:
        """Wait until no call is left that has anything under way."""
        with self._lock:
            self._all_settled.wait_for(lambda: self._unsettled == 0)

    def _take(self, *, stream: bool) -> None:
        with self._lock:
            if self._running[stream] < self._max:
                self._running[stream] += 1
                self._unsettled += 1
                return
        raise ResourceExhaustedError(
            f"{self._max} streams are open, which is the limit of this server; close one, or retry",
            reason="TOO_MANY_STREAMS",
            metadata={"maxStreams": str(self._max)},
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )

    def _give_back(self, middleware: CallMiddleware, *, stream: bool) -> None:
        with self._lock:
            self._running[stream] -= 1
            if middleware.charged_to is not None:
                self._streams_of[middleware.charged_to] -= 1
                if not self._streams_of[middleware.charged_to]:
                    del self._streams_of[middleware.charged_to]

    def _settle(self) -> None:
        with self._lock:
            self._unsettled -= 1
            self._all_settled.notify_all()


def _refusal(error: TickmeshError) -> flight.FlightError:
    return flight_error(
        build_status(
            grpc.StatusCode[error.code],
            reason=error.reason,
            message=error.message,
            metadata=error.metadata,
            retry_after_seconds=error.retry_after_seconds,
        )
    )


def means_cancelled(error: BaseException) -> bool:
    """Return whether Arrow says that the client left."""
    return isinstance(error, flight.FlightCancelledError)
