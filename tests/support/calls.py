"""What a call was refused with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest

from tickmesh._wire.status import error_from_rpc

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tickmesh.errors import TickmeshError


async def failure_of(call: Awaitable[Any]) -> TickmeshError:
    """The error of a call that must fail."""
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return error_from_rpc(caught.value)


async def assert_invalid(call: Awaitable[Any], *, field: str, says: str = "") -> None:
    """A call that must be refused as INVALID_ARGUMENT, for one field."""
    error = await failure_of(call)
    assert (error.code, error.reason) == ("INVALID_ARGUMENT", "INVALID_ARGUMENT")
    assert error.violations[0].field == field
    assert says in error.message
