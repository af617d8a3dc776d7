"""Server reflection under both names: grpcurl asks for v1, older tools ask for v1alpha only.

grpcio-reflection serves v1alpha; the two versions are the same on the wire, so one servicer stands
under both names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import grpc.aio
from grpc_reflection.v1alpha import reflection, reflection_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"
SERVICE_NAMES = (V1, V1ALPHA)


def add_reflection(server: grpc.aio.Server, service_names: Sequence[str]) -> None:
    """Let clients ask the server for its services and their messages.

    Args:
        server: to add to, before it starts.
        service_names: full names of the services it has, without reflection's own.
    """
    servicer = reflection.aio.ReflectionServicer((*service_names, *SERVICE_NAMES))
    for name in SERVICE_NAMES:
        handler = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": handler}),)
        )
