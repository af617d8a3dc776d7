# Types of grpc.health.v1: the published stubs do not know List yet.

from collections.abc import Mapping, MutableMapping
from typing import ClassVar

from google.protobuf.message import Message

class HealthCheckRequest(Message):
    service: str
    def __init__(self, *, service: str = ...) -> None: ...

class HealthCheckResponse(Message):
    UNKNOWN: ClassVar[int]
    SERVING: ClassVar[int]
    NOT_SERVING: ClassVar[int]
    SERVICE_UNKNOWN: ClassVar[int]
    status: int
    def __init__(self, *, status: int = ...) -> None: ...

class HealthListRequest(Message): ...

class HealthListResponse(Message):
    @property
    def statuses(self) -> MutableMapping[str, HealthCheckResponse]: ...
    def __init__(self, *, statuses: Mapping[str, HealthCheckResponse] = ...) -> None: ...
