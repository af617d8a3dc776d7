"""Commands that arrive in Flight descriptors; what is not understood is refused."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message

from tickmesh_cleaner.domain.errors import InvalidArgumentError

_MessageT = TypeVar("_MessageT", bound=Message)


def unpack(command: bytes, expected: type[_MessageT]) -> _MessageT:
    """Open a command that travels as `google.protobuf.Any`.

    Raises:
        InvalidArgumentError: The bytes are no Any, or hold another message.
    """
    wrapped = Any()
    message = expected()
    try:
        wrapped.ParseFromString(command)
        understood = wrapped.Unpack(message)
    except DecodeError:
        understood = False
    if not understood:
        came = wrapped.TypeName() or "something else"
        raise InvalidArgumentError(
            "descriptor.command",
            f"expected a google.protobuf.Any holding {expected.DESCRIPTOR.full_name}; "
            f"it held {came:.100}",
        )
    return message
