"""The fields a listing offers to filters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Record = TypeVar("Record")


class FieldKind(StrEnum):
    """What values of a field are."""

    STRING = "a string"
    INTEGER = "an integer"
    INSTANT = "an RFC 3339 instant"
    CHOICE = "a choice"
    MAP = "a map of strings"


@dataclass(frozen=True, slots=True)
class FilterField(Generic[Record]):
    """A field that filters may name.

    Attributes:
        name: As filters write it.
        kind: What its values are: `str`, `int`, `int` nanoseconds, `str`, `Mapping[str, str]`.
        read: Takes the value from a record.
        choices: The values of a CHOICE, lower case.
    """

    name: str
    kind: FieldKind
    read: Callable[[Record], Any]
    choices: tuple[str, ...] = ()
