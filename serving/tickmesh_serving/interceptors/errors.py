"""Innermost: turns what was raised into the status that the caller and the outer policies see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc

from tickmesh_serving.interceptors.interceptor import nothing

if TYPE_CHECKING:
    from tickmesh_serving.errors import ErrorTable
    from tickmesh_serving.rpc_call import RpcCall

_NAMES = {code.value[0]: code.name for code in grpc.StatusCode}


class ErrorsInterceptor:
    """Applies the error table."""

    name = "errors"
    begin = staticmethod(nothing)

    def __init__(self, errors: ErrorTable) -> None:
        self._errors = errors

    def end(self, call: RpcCall) -> None:
        """Give the error its status and code, once."""
        if call.error is not None and call.status is None:
            call.status = self._errors.to_status(call.error, call)
            call.code = _NAMES[call.status.code]
