"""Enum values of the wire as the lower-case words the change log uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from tickmesh.api.registry.v1 import change_pb2, schema_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterable

    class Enum(Protocol):
        """A generated enum, of either generation of stubs."""

        def items(self) -> Iterable[tuple[str, Any]]:
            """Names and values."""
            ...


class Names:
    """The values of one enum by word; 0, which is never sent or means nothing, is ""."""

    def __init__(self, enum: Enum, prefix: str) -> None:
        self._names = {
            number: name.removeprefix(prefix).lower() if number else ""
            for name, number in enum.items()
        }
        self._numbers = {name: number for number, name in self._names.items()}

    def name(self, number: int) -> str:
        """The word; an unknown number as its digits."""
        return self._names.get(number, str(number))

    def number(self, name: str) -> Any:
        """The value of a word."""
        return self._numbers[name]


CHANGE_KINDS = Names(change_pb2.ChangeKind, "CHANGE_KIND_")
TRANSITIONS = Names(change_pb2.FilterTransition, "FILTER_TRANSITION_")
ACTIONS = Names(schema_pb2.Action, "ACTION_")
STATES = Names(schema_pb2.VersionState, "VERSION_STATE_")
RESPONSE_KINDS = Names(pb.WatchResponse.Kind, "KIND_")
