"""Every call has a name: the caller's, where it is fit to be logged, else a new one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tickmesh._wire.metadata import REQUEST_ID
from tickmesh_serving.interceptors.interceptor import nothing

if TYPE_CHECKING:
    from tickmesh_serving.identifiers import IdGenerator
    from tickmesh_serving.rpc_call import RpcCall

_FIT = re.compile(r"[0-9A-Za-z._:-]{1,128}")


class RequestIdInterceptor:
    """Names calls."""

    name = "request_id"
    end = staticmethod(nothing)

    def __init__(self, ids: IdGenerator) -> None:
        self._ids = ids

    def begin(self, call: RpcCall) -> None:
        """Take the caller's id or make one."""
        given = call.metadata.get(REQUEST_ID, "")
        call.request_id = given if _FIT.fullmatch(given) else self._ids.new_id()
