"""From an exception to what the caller is told: the one table of each service, on every transport.

Domain exceptions know nothing of the wire. They are read by attribute: `reason` (UPPER_SNAKE),
`message`, `metadata`, and where they have them `violations` ((field, description) pairs),
`resource` ((type, name)) and `retry_after_seconds`. What is not in the table is a defect: the
caller gets an error id and the log gets the rest.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import grpc
import structlog

from tickmesh._wire.status import build_status
from tickmesh.errors import ConfigError, TickmeshError
from tickmesh_serving.identifiers import IdGenerator, RandomIds
from tickmesh_serving.tickets import TicketError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from google.rpc.status_pb2 import Status

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.errors")

_ALWAYS: Mapping[type[BaseException], grpc.StatusCode] = {
    TicketError: grpc.StatusCode.INVALID_ARGUMENT,
}


class NamedCall(Protocol):
    """Anything that knows the id of the call being answered."""

    @property
    def request_id(self) -> str:
        """The call's id."""
        ...


class ErrorTable:
    """Maps exception classes, and their subclasses, to canonical codes.

    Errors that the mesh's own clients raise (`TickmeshError`) need no entry: they keep their code,
    reason and metadata, so that a refusal passes through a service unchanged.
    """

    def __init__(
        self,
        codes: Mapping[type[Exception], grpc.StatusCode] | None = None,
        *,
        ids: IdGenerator | None = None,
    ) -> None:
        self._codes: dict[type[BaseException], grpc.StatusCode] = dict(_ALWAYS)
        for kind, code in (codes or {}).items():
            self._codes[kind] = code
        self._ids = ids or RandomIds()

    def to_status(self, exception: BaseException, call: NamedCall) -> Status:
        """Return what the caller is told; log what the caller must not see."""
        code = self._code_of(exception)
        if code is not None:
            return _status_of(exception, code, request_id=call.request_id)
        if isinstance(exception, TimeoutError):
            return build_status(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                reason="DEADLINE_EXCEEDED",
                message="the deadline passed before the answer; ask for less, or allow more time",
                request_id=call.request_id,
            )
        if isinstance(exception, asyncio.CancelledError):
            return build_status(
                grpc.StatusCode.CANCELLED,
                reason="CANCELLED",
                message="the call was cancelled",
                request_id=call.request_id,
            )
        return self._defect(exception, call)

    def _code_of(self, exception: BaseException) -> grpc.StatusCode | None:
        for kind in type(exception).__mro__:
            if kind in self._codes:
                return self._codes[kind]
        if isinstance(exception, TickmeshError) and not isinstance(exception, ConfigError):
            code = grpc.StatusCode.__members__.get(exception.code)
            return None if code is grpc.StatusCode.UNKNOWN else code
        return None

    def _defect(self, exception: BaseException, call: NamedCall) -> Status:
        error_id = self._ids.new_id()
        _log.error("rpc.defect", error_id=error_id, request_id=call.request_id, exc_info=exception)
        return build_status(
            grpc.StatusCode.INTERNAL,
            reason="INTERNAL",
            message=f"an internal error of the server; report the error id {error_id}",
            metadata={"errorId": error_id},
            request_id=call.request_id,
        )


def _status_of(exception: BaseException, code: grpc.StatusCode, *, request_id: str) -> Status:
    metadata: Mapping[str, object] = getattr(exception, "metadata", {})
    violations: Iterable[tuple[str, str]] = getattr(exception, "violations", ())
    return build_status(
        code,
        reason=getattr(exception, "reason", "") or code.name,
        message=getattr(exception, "message", "") or str(exception),
        metadata={key: str(value) for key, value in metadata.items()},
        violations=violations,
        resource=getattr(exception, "resource", None),
        retry_after_seconds=getattr(exception, "retry_after_seconds", None),
        request_id=request_id,
    )
