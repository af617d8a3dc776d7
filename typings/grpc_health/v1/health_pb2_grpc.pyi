# Types of grpc.health.v1's generated service: the part the mesh uses.

import grpc.aio
from grpc_health.v1 import health_pb2

class HealthServicer: ...

class HealthStub:
    Check: grpc.aio.UnaryUnaryMultiCallable[
        health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
    ]
    Watch: grpc.aio.UnaryStreamMultiCallable[
        health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
    ]
    List: grpc.aio.UnaryUnaryMultiCallable[
        health_pb2.HealthListRequest, health_pb2.HealthListResponse
    ]
    def __init__(self, channel: grpc.aio.Channel) -> None: ...

def add_HealthServicer_to_server(  # noqa: N802 - the generated name
    servicer: HealthServicer, server: grpc.aio.Server
) -> None: ...
