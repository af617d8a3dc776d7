"""Calls to a registry process that tests make over and over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from tickmesh._wire.status import error_from_rpc
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb
from tickmesh.api.registry.v1 import selector_pb2

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from tests.support.registry_process import Stub
    from tickmesh.api.registry.v1 import change_pb2, schema_pb2
    from tickmesh.errors import TickmeshError


async def failure_of(call: Awaitable[Any]) -> TickmeshError:
    """The error a call ends with."""
    with pytest.raises(grpc.RpcError) as caught:
        await call
    return error_from_rpc(caught.value)


async def register(
    stub: Stub, text: str, *, subject: str = "ticks.trades", **fields: Any
) -> pb.RegisterSchemaResponse:
    """Register a text."""
    request = pb.RegisterSchemaRequest(subject=subject, text=text, **fields)
    answer: pb.RegisterSchemaResponse = await stub.RegisterSchema(request)
    return answer


async def get(
    stub: Stub, subject: str = "ticks.trades", *, version: int = 0
) -> schema_pb2.SchemaVersion:
    """A version by its number, or the latest."""
    selector = selector_pb2.SubjectSelector(subject=subject)
    if version:
        selector.version = version
    else:
        selector.latest.SetInParent()
    found: schema_pb2.SchemaVersion = (
        await stub.GetSchema(pb.GetSchemaRequest(subject=selector))
    ).schema
    return found


async def watched(stub: Stub, **request: Any) -> list[change_pb2.ChangeEvent]:
    """What a watch brings up to the head, from the beginning of the log unless told otherwise."""
    if "snapshot" not in request:
        request.setdefault("after_revision", 0)
    head = (await stub.ListSubjects(pb.ListSubjectsRequest())).revision
    events: list[change_pb2.ChangeEvent] = []
    call = stub.Watch(pb.WatchRequest(progress_interval=Duration(seconds=1), **request))
    async for response in call:
        events += response.events
        if response.revision >= head and response.token:
            break
    call.cancel()
    return events
