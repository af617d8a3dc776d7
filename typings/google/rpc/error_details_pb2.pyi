# Types of googleapis-common-protos' error details: the part the mesh uses.

from collections.abc import MutableMapping

from google.protobuf.duration_pb2 import Duration
from google.protobuf.internal.containers import RepeatedCompositeFieldContainer
from google.protobuf.message import Message

class ErrorInfo(Message):
    reason: str
    domain: str
    @property
    def metadata(self) -> MutableMapping[str, str]: ...
    def __init__(self, *, reason: str = ..., domain: str = ...) -> None: ...

class RequestInfo(Message):
    request_id: str
    def __init__(self, *, request_id: str = ...) -> None: ...

class RetryInfo(Message):
    @property
    def retry_delay(self) -> Duration: ...

class ResourceInfo(Message):
    resource_type: str
    resource_name: str
    def __init__(self, *, resource_type: str = ..., resource_name: str = ...) -> None: ...

class BadRequest(Message):
    class FieldViolation(Message):
        field: str
        description: str

    @property
    def field_violations(self) -> RepeatedCompositeFieldContainer[FieldViolation]: ...

class PreconditionFailure(Message):
    class Violation(Message):
        type: str
        subject: str
        description: str

    @property
    def violations(self) -> RepeatedCompositeFieldContainer[Violation]: ...
