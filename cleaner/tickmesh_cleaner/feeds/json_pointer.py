"""Places in a JSON text by JSON Pointer (RFC 6901), its parts as they were written."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Part:
    """A value within a text: its first character, and the one behind its last."""

    begin: int
    end: int


def names_of(pointer: str) -> tuple[str, ...]:
    """The names of a JSON Pointer.

    Raises:
        ValueError: It does not begin with a slash.
    """
    if not pointer:
        return ()
    if not pointer.startswith("/"):
        raise ValueError(f"expected a JSON Pointer such as /data/records, was {pointer!r}")
    parts = pointer[1:].split("/")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def value_at(document: object, pointer: str) -> object:
    """The value at a place; None where there is none."""
    for name in names_of(pointer):
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document


def elements_at(text: str, pointer: str) -> Iterator[Part]:
    """The elements of the array at a place, in order.

    Args:
        text: A JSON text that is known to be sound.
        pointer: Where the array stands; empty for the text itself.

    Raises:
        ValueError: There is no array at that place.
    """
    at = _skip(text, 0)
    for name in names_of(pointer):
        at = _child(text, at, name, pointer)
    if text[at : at + 1] != "[":
        raise ValueError(f"expected an array at {pointer!r}")
    yield from _elements(text, at)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _end_of_value(text: str, at: int) -> int:
    _, end = _DECODER.raw_decode(text, at)
    return end


def _elements(text: str, at: int) -> Iterator[Part]:
    at = _skip(text, at + 1)
    while text[at] != "]":
        end = _end_of_value(text, at)
        yield Part(at, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _child(text: str, at: int, name: str, pointer: str) -> int:
    if text[at : at + 1] == "[":
        for index, part in enumerate(_elements(text, at)):
            if name == str(index):
                return part.begin
    elif text[at : at + 1] == "{":
        at = _skip(text, at + 1)
        while text[at] != "}":
            key, end = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, end) + 1)
            if key == name:
                return at
            at = _skip(text, _end_of_value(text, at))
            if text[at] == ",":
                at = _skip(text, at + 1)
    raise ValueError(f"there is nothing at {pointer!r}")
