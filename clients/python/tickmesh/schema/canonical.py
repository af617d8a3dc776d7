"""Canonical form and fingerprint: what two texts share when they mean the same schema."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Any

from tickmesh.schema.keywords import (
    ANNOTATIONS,
    SUBSCHEMA_KEYWORDS,
    Dialect,
    JsonSchema,
    children,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_SMALLEST_PLAIN_EXPONENT = -20
_SETS = ("required", "enum", "type")
_LITERALS = {None: "null", True: "true", False: "false"}


def _number(value: int | Decimal) -> str:
    if isinstance(value, int):
        return str(value)
    sign, digits, exponent = value.normalize().as_tuple()
    assert isinstance(exponent, int)
    if exponent >= _SMALLEST_PLAIN_EXPONENT:
        return format(value.normalize(), "f")
    mantissa = "".join(map(str, digits))
    fraction = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
    return f"{'-' if sign else ''}{mantissa[0]}{fraction}e{exponent + len(digits) - 1}"


def canonical_json(value: Any) -> str:
    """Return the canonical text of any exact JSON value: sorted keys, exact numbers."""
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        members = [
            f"{encode_basestring(key)}:{canonical_json(value[key])}" for key in sorted(value)
        ]
        return "{" + ",".join(members) + "}"
    if isinstance(value, list):
        return "[" + ",".join([canonical_json(member) for member in value]) + "]"
    if value is None or isinstance(value, bool):
        return _LITERALS[value]
    if isinstance(value, float):
        exact = Decimal(repr(value))
        value = int(exact) if exact == exact.to_integral_value() else exact
    return _number(value)


def canonical_schema(schema: JsonSchema, dialect: Dialect) -> JsonSchema:
    """Return the schema without annotations and with its sets sorted.

    Only keywords are touched: a property called ``title``, or an object inside ``const``,
    stays as it is.
    """
    if isinstance(schema, bool):
        return schema
    result = {key: value for key, value in schema.items() if key not in ANNOTATIONS}
    if not SUBSCHEMA_KEYWORDS.isdisjoint(result):
        for path, child in children(result, dialect):
            _replace(result, schema, path, canonical_schema(child, dialect))
    for keyword in _SETS:
        members = result.get(keyword)
        if isinstance(members, list):
            by_text = {canonical_json(member): member for member in members}
            result[keyword] = [by_text[text] for text in sorted(by_text)]
    if isinstance(result.get("type"), list) and len(result["type"]) == 1:
        result["type"] = result["type"][0]
    if "$schema" in result:
        result["$schema"] = str(dialect)
    return result


def _replace(
    result: dict[str, Any], original: Mapping[str, Any], path: tuple[str | int, ...], value: Any
) -> None:
    keyword = str(path[0])
    if len(path) == 1:
        result[keyword] = value
        return
    if result[keyword] is original[keyword]:
        held = original[keyword]
        result[keyword] = list(held) if isinstance(held, list) else dict(held)
    result[keyword][path[1]] = value


def canonical_text(schema: JsonSchema, dialect: Dialect) -> str:
    """Return the canonical text of a schema; the dialect is always spelled out."""
    canonical = canonical_schema(schema, dialect)
    if isinstance(canonical, dict):
        canonical.setdefault("$schema", str(dialect))
    return canonical_json(canonical)


def fingerprint(text: str, references: Mapping[str, str]) -> str:
    """Return the SHA-256 of a canonical text and of its pinned references.

    Args:
        text: The canonical text.
        references: Fingerprints of the pinned references, by the name the schema uses.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(text.encode())
    for name in sorted(references):
        digest.update(b"\0" + name.encode() + b"\0" + references[name].encode())
    return digest.hexdigest()
