"""JSON text read exactly: no duplicate key, no lost digit, no unbounded nesting."""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from tickmesh.schema.errors import SchemaError, pointer_of

LARGEST_EXPONENT = 1000
"""Numbers beyond 10^±1000 are refused: writing them out would cost more than they can mean."""


class _ObjectWithDuplicate(dict[str, Any]):
    """Marks an object literal that named a key twice, until its place is known."""

    def __init__(self, pairs: list[tuple[str, Any]], key: str) -> None:
        super().__init__(pairs)
        self.key = key


class _Objects:
    """Makes the objects of one text, and knows whether one of them named a key twice."""

    def __init__(self) -> None:
        self.repeat_keys = False

    def make(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        document = dict(pairs)
        if len(document) == len(pairs):
            return document
        self.repeat_keys = True
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                return _ObjectWithDuplicate(pairs, key)
            seen.add(key)
        return document


def _refuse_constant(text: str) -> NoReturn:
    raise SchemaError("INVALID_JSON", f"{text} is not JSON; numbers are finite")


def _integer(text: str) -> int:
    if len(text) > LARGEST_EXPONENT:
        raise SchemaError("NUMBER_OUT_OF_RANGE", f"a number of {len(text)} digits is too long")
    return int(text)


def _decimal(text: str) -> Decimal | int:
    if not text.lower().partition("e")[0].strip("-0."):
        return 0
    try:
        number = Decimal(text)
        fits = abs(number.adjusted()) <= LARGEST_EXPONENT and len(text) <= LARGEST_EXPONENT
    except InvalidOperation:  # an exponent beyond what Decimal can hold
        fits = False
    if not fits:
        raise SchemaError("NUMBER_OUT_OF_RANGE", f"the number {text[:40]} is out of range")
    return int(number) if number == number.to_integral_value() else number


_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[\]{}]', re.DOTALL)


def _check_depth(text: str, max_depth: int) -> None:
    if text.count("{") + text.count("[") <= max_depth:
        return
    depth = 0
    for piece in _STRING_OR_BRACKET.findall(text):
        if piece in ("[", "{"):
            depth += 1
            if depth > max_depth:
                raise SchemaError(
                    "TOO_DEEP", f"the schema nests deeper than {max_depth} levels; flatten it"
                )
        elif piece in ("]", "}"):
            depth -= 1


def _check_values(value: Any, path: tuple[object, ...]) -> None:
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, dict):
        if isinstance(value, _ObjectWithDuplicate):
            raise SchemaError(
                "DUPLICATE_KEY",
                f"the key {value.key!r} occurs twice in one object; keep one of them",
                pointer=pointer_of((*path, value.key)),
            )
        for key, member in value.items():
            _check_text(key, path)
            _check_values(member, (*path, key))
    elif isinstance(value, list):
        for index, member in enumerate(value):
            _check_values(member, (*path, index))


def _check_text(text: str, path: tuple[object, ...]) -> None:
    if text.isascii():
        return
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SchemaError(
            "INVALID_JSON", "a string holds a lone surrogate", pointer=pointer_of(path)
        ) from None


def parse_json(text: str | bytes, *, max_bytes: int, max_depth: int) -> Any:
    """Read JSON text exactly.

    Args:
        text: JSON text, UTF-8 when bytes.
        max_bytes: Longest text taken, in bytes of UTF-8.
        max_depth: Deepest nesting of objects and arrays taken.

    Returns:
        The value; integral numbers as ``int`` (``1.0`` too), other numbers as ``Decimal``.

    Raises:
        SchemaError: With a JSON Pointer where one can be known.
    """
    if isinstance(text, bytes):
        try:
            decoded = text.decode()
        except UnicodeDecodeError as error:
            raise SchemaError(
                "INVALID_JSON", f"the text is not UTF-8 (byte {error.start})"
            ) from None
    else:
        decoded = text
    if len(text) > max_bytes or len(decoded) > max_bytes:
        raise SchemaError(
            "TOO_LARGE", f"the schema has {len(text)} bytes; at most {max_bytes} are taken"
        )
    _check_depth(decoded, max_depth)
    objects = _Objects()
    try:
        value = json.loads(
            decoded,
            object_pairs_hook=objects.make,
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        raise SchemaError(
            "INVALID_JSON",
            f"the text is not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
        ) from None
    # Only what is no ASCII, or is escaped, can be a lone surrogate.
    if objects.repeat_keys or not decoded.isascii() or "\\u" in decoded:
        _check_values(value, ())
    return value


def plain(value: Any) -> Any:
    """Return the ordinary ``json.loads`` form of an exact value: fractions become floats."""
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [plain(member) for member in value]
    return float(value) if isinstance(value, Decimal) else value
