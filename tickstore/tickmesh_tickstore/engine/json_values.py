"""JSON values as Arrow columns, value by value: the slow way, for columns that hold JSON text."""

from __future__ import annotations

import base64
import binascii
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import pc
from tickmesh.schema.canonical import canonical_json
from tickmesh.schema.field_metadata import ENCODING_KEY, SCALE_KEY
from tickmesh.schema.validation.encodings import json_of
from tickmesh_tickstore.engine.field_rules import resolve_value

if TYPE_CHECKING:
    from tickmesh.decoding.arrow import Array
    from tickmesh_tickstore.engine.field_rules import FieldRules

__all__ = ["UnfitValueError", "array_from_json", "array_of"]


_EXACT = Context(prec=1_000)
"""No number of ours has more digits."""


class UnfitValueError(Exception):
    """Some value does not fit its new type; the text says why."""


def array_from_json(
    texts: Array, new: pa.Field[Any], *, writer: FieldRules, reader: FieldRules
) -> Array:
    """JSON texts as the values of a field, members resolved as the two versions' rules say.

    Raises:
        UnfitValueError: A text holds no value of the field's type.
    """
    values: list[Any] = []
    for text in texts.to_pylist():
        if text is None:
            values.append(None)
            continue
        try:
            parsed = json_of(text)
        except ValueError:
            raise UnfitValueError("a text is not JSON") from None
        values.append(resolve_value(parsed, writer, reader))
    return array_of(values, new)


def array_of(values: list[Any], field: pa.Field[Any]) -> Array:
    """JSON values as a column.

    Args:
        values: JSON values, numbers that are no integers as `Decimal`; None is a null.
        field: The field: its type, and how it is encoded.

    Raises:
        UnfitValueError: A value is none of the field's type.
    """
    cells = [None if value is None else _cell(value, field) for value in values]
    kind: Any = field.type
    try:
        if pt.is_float32(kind):
            doubles = pa.array(cells, pa.float64())
            narrow = doubles.cast(kind, safe=False)
            if not narrow.cast(pa.float64()).equals(doubles):
                raise UnfitValueError(f"a number is not exact in {kind}")
            return narrow
        if pt.is_dictionary(kind):
            return pa.array(cells, kind.value_type).dictionary_encode().cast(kind)
        return pa.array(cells, kind)
    except (pa.ArrowInvalid, OverflowError):
        raise UnfitValueError(f"a value does not fit {kind}") from None


def _cell(value: Any, field: pa.Field[Any]) -> Any:
    """What `pa.array` takes for a value that is not null."""
    metadata = field.metadata or {}
    kind: Any = field.type
    if metadata.get(ENCODING_KEY) == b"json":
        return canonical_json(value)
    if SCALE_KEY in metadata:
        number = _EXACT.scaleb(_number(value, kind), int(metadata[SCALE_KEY]))
        return _whole(number, kind)
    if pt.is_struct(kind) and isinstance(value, dict):
        return {member.name: _inner(value.get(member.name), member) for member in kind}
    if pt.is_list(kind) and isinstance(value, list):
        return [_inner(item, kind.value_field) for item in value]
    if pt.is_map(kind) and isinstance(value, dict):
        return [(name, _inner(member, kind.item_field)) for name, member in value.items()]
    return _scalar(value, kind)


def _inner(value: Any, field: pa.Field[Any]) -> Any:
    if value is not None:
        return _cell(value, field)
    if not field.nullable:
        raise UnfitValueError(f"{field.name!r} is required, and absent or null")
    return None


def _scalar(value: Any, kind: Any) -> Any:
    if pt.is_boolean(kind) and isinstance(value, bool):
        return value
    if pt.is_integer(kind) or pt.is_duration(kind):
        return _whole(_number(value, kind), kind)
    if pt.is_floating(kind):
        number = _number(value, kind)
        double = float(number)
        if Decimal(repr(double)) != number:
            raise UnfitValueError("a number has more digits than a double keeps")
        return double
    if pt.is_decimal(kind):
        return _number(value, kind)
    if not isinstance(value, str):
        raise UnfitValueError(f"a value is not one of {kind}")
    if pt.is_binary(kind):
        try:
            return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise UnfitValueError("a text is not base64") from None
    if pt.is_temporal(kind):
        return _instant(value, kind)
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_dictionary(kind):
        return value
    raise UnfitValueError(f"a value is not one of {kind}")


def _instant(text: str, kind: Any) -> Any:
    if pt.is_time(kind):
        text = text.removesuffix("Z")
    try:
        return pc.cast(pa.array([text]), kind)[0]
    except pa.ArrowInvalid:
        raise UnfitValueError(f"a text is no {kind}") from None


def _number(value: Any, kind: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        raise UnfitValueError(f"a value is not one of {kind}")
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _whole(number: Decimal, kind: Any) -> int:
    if number != number.to_integral_value():
        raise UnfitValueError(f"a number is not exact in {kind}")
    return int(number)
