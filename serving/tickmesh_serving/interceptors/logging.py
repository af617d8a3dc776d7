"""One log line a call that failed; successes only at level debug."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import structlog

from tickmesh._wire.status import parse_status
from tickmesh_serving.interceptors.interceptor import nothing

if TYPE_CHECKING:
    from tickmesh_serving.clock import Clock
    from tickmesh_serving.rpc_call import RpcCall

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.rpc")
_standard_log = logging.getLogger("tickmesh.rpc")

_SERVER_FAULT = {"INTERNAL", "UNKNOWN", "DATA_LOSS"}
_WORTH_A_LOOK = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED"}


class LoggingInterceptor:
    """Writes the log of calls."""

    name = "logging"
    begin = staticmethod(nothing)

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def end(self, call: RpcCall) -> None:
        """Say how it ended."""
        if call.code == "OK":
            if _standard_log.isEnabledFor(logging.DEBUG):  # gathering the facts costs most
                _log.debug("rpc.completed", **self._facts(call))
            return
        facts = self._facts(call)
        if call.status is not None:
            facts["reason"] = parse_status(call.status).reason
            facts["message"] = call.status.message
        if call.code in _SERVER_FAULT:
            _log.error("rpc.failed", **facts)
        elif call.code in _WORTH_A_LOOK:
            _log.warning("rpc.failed", **facts)
        elif call.code == "CANCELLED":
            _log.debug("rpc.cancelled", **facts)
        else:
            _log.info("rpc.failed", **facts)

    def _facts(self, call: RpcCall) -> dict[str, object]:
        facts: dict[str, object] = {
            "transport": call.transport,
            "method": call.method,
            "code": call.code,
            "request_id": call.request_id,
            "principal": call.principal.name,
            "peer": call.peer,
            "milliseconds": round((self._clock.monotonic_ns() - call.started_ns) / 1e6, 3),
        }
        if call.principal.on_behalf_of:
            facts["on_behalf_of"] = call.principal.on_behalf_of
        if call.traceparent is not None:
            facts["traceparent"] = call.traceparent
        if call.linked_traces:
            facts["linked_traces"] = call.linked_traces
        return facts
