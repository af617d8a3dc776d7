"""One JSON text read exactly: the slow way, for lines that a columnar reader may get wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


class NumberToken(str):
    """A JSON number as it was written: no digit is lost before it is known what it should be."""

    __slots__ = ()


class NotARecordError(Exception):
    """A line that is no JSON object.

    Attributes:
        code: MALFORMED, DUPLICATE_KEY, NONFINITE, LONE_SURROGATE or NOT_AN_OBJECT.
        message: What was expected and what came.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def read_record(text: str) -> dict[str, Any]:
    """Read one line as a JSON object whose numbers are ``NumberToken``.

    Raises:
        NotARecordError: The line is not one JSON object with distinct keys and sound text.
    """
    try:
        document = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise NotARecordError(
            "MALFORMED", f"not JSON: {error.msg} at character {error.pos}"
        ) from None
    except RecursionError:
        raise NotARecordError("MALFORMED", "the JSON is nested too deeply to be read") from None
    if not isinstance(document, dict):
        raise NotARecordError("NOT_AN_OBJECT", f"expected a JSON object, got {text.strip()[:40]!r}")
    if _SURROGATE.search(text):
        try:
            json.dumps(document, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise NotARecordError(
                "LONE_SURROGATE", "a string holds half of a surrogate pair, which is no character"
            ) from None
    return document


def value_at(document: object, path: tuple[str, ...]) -> tuple[bool, Any]:
    """Whether the path is there, and its value."""
    for name in path:
        if not isinstance(document, dict) or name not in document:
            return False, None
        document = document[name]
    return True, document


def json_text(value: object) -> str:
    """A value read by ``read_record`` as JSON text again, numbers as they were written."""
    if isinstance(value, NumberToken):
        return str(value)
    if isinstance(value, dict):
        members = (f"{json_text(str(name))}:{json_text(item)}" for name, item in value.items())
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(json_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def unread_paths(
    document: Mapping[str, Any], read: Mapping[str, Any], parents: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Paths of the document that are not in the tree of paths that are read.

    Args:
        document: The document.
        read: Name to subtree; anything but a mapping stands for a value read whole.
        parents: Path of the document within its record.
    """
    for name, value in document.items():
        if name not in read:
            if value is not None:
                yield (*parents, name)
        elif isinstance(value, dict) and isinstance(read[name], dict):
            yield from unread_paths(value, read[name], (*parents, name))


def split_path(path: str) -> tuple[str, ...]:
    r"""The names of a dotted path; a dot within a name is written ``\.``."""
    names = re.split(r"(?<!\\)\.", path)
    return tuple(name.replace("\\.", ".") for name in names)


def join_path(names: tuple[str, ...]) -> str:
    """The dotted path of some names."""
    return ".".join(name.replace(".", "\\.") for name in names)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotARecordError("DUPLICATE_KEY", f"the key {twice!r} stands twice in one object")
    return document


def _refuse_constant(text: str) -> NoReturn:
    raise NotARecordError("NONFINITE", f"{text} is not JSON: numbers are finite")


_DECODER: Final = json.JSONDecoder(
    parse_int=NumberToken,
    parse_float=NumberToken,
    parse_constant=_refuse_constant,
    object_pairs_hook=_object,
)
