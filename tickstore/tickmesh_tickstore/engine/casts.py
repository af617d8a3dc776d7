"""Values of one Arrow field as values of another, exactly or not at all.

Which casts there are is the registry's physical plan (`tickmesh.schema.columns.cast_of`); these are
its kernels. A value that the new type cannot hold is an error, never another value.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import nulls, pc
from tickmesh.decoding.conversion.fields import convert_plainly
from tickmesh.decoding.conversion.scaling import digits
from tickmesh.decoding.json_texts import json_texts
from tickmesh.schema.canonical import canonical_json
from tickmesh.schema.columns import ColumnAction, cast_of
from tickmesh.schema.field_metadata import ENCODING_KEY, SCALE_KEY
from tickmesh.schema.validation.documents import row_documents, temporal_text
from tickmesh.schema.validation.encodings import decoded_column, decoded_schema
from tickmesh_tickstore.engine.json_values import UnfitValueError, array_from_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh.decoding.arrow import Array
    from tickmesh_tickstore.engine.field_rules import FieldRules

    Field: TypeAlias = pa.Field[Any]

__all__ = ["Cast", "ImpossibleCastError", "UnfitValueError", "cast_between"]

Cast: TypeAlias = "Callable[[Array], Array]"
"""Casts a whole column. Raises `UnfitValueError`, or ArrowInvalid, where a value does not fit."""

_WIDE = 76
"""Digits of the widest decimal."""
_INTEGER_DIGITS = 20
_SCALED_DIGITS = 19


class ImpossibleCastError(Exception):
    """No value of one type is one of the other; the text says why."""


def cast_between(
    old: Field, new: Field, *, writer: FieldRules, reader: FieldRules
) -> tuple[Cast | None, str]:
    """How values of one field become values of another.

    Returns:
        The cast, None where the values are the same as they are; and what it depends on, empty
        where every value can be cast.

    Raises:
        ImpossibleCastError: The physical plan has no cast.
    """
    action, note = cast_of(old, new)
    if action is ColumnAction.IMPOSSIBLE:
        raise ImpossibleCastError(note)
    condition = note if action is ColumnAction.CAST_EXACT_IF else ""
    if is_json(new) or is_json(old):
        return _json_cast(old, new, writer=writer, reader=reader), condition
    if action is ColumnAction.KEEP and old.type.equals(new.type):
        return None, ""
    return _plain_cast(old, new), condition


def is_json(field: Field) -> bool:
    """Whether a field holds JSON texts."""
    return (field.metadata or {}).get(ENCODING_KEY) == b"json"


def _json_cast(old: Field, new: Field, *, writer: FieldRules, reader: FieldRules) -> Cast | None:
    if not is_json(old) and not reader.changes_values:
        return lambda column: _rendered(column, old)
    if writer.is_uneven or reader.is_uneven:
        raise ImpossibleCastError("items or members have rules of their own by place or key")
    if is_json(new) and not (writer.changes_values or reader.changes_values):
        return None

    def cast(column: Array) -> Array:
        texts = column if is_json(old) else _rendered(column, old)
        return array_from_json(texts, new, writer=writer, reader=reader)

    return cast


def _rendered(column: Array, old: Field) -> Array:
    """Each value as JSON text; nested and binary ones one by one."""
    decoded = decoded_schema(pa.schema([old])).field(0).type
    plain = decoded_column(column, decoded)
    if pt.is_floating(plain.type) and pc.all(pc.is_finite(plain)).as_py() not in {True, None}:
        raise UnfitValueError("a number that is not finite is no JSON")
    texts = json_texts(plain)
    if texts is not None:
        return texts
    rows = row_documents(pa.record_batch([column], schema=pa.schema([old])))
    # A null is absent from its document; an item or a member that is null stands in it.
    return pa.array(
        [canonical_json(row[old.name]) if old.name in row else None for row in rows], pa.string()
    )


def _plain_cast(old: Field, new: Field) -> Cast:
    """The kernel for a pair of types that the plan lets through."""
    before, after = old.type, new.type
    if pt.is_null(before):
        return lambda column: nulls(len(column), after)
    old_scale, new_scale = _scale(old), _scale(new)
    if old_scale is not None or new_scale is not None:
        return _scaled_cast(before, after, old_scale, new_scale)
    if _is_number(before) and _is_number(after):
        return lambda column: _number(column, after)
    if pt.is_dictionary(before) or pt.is_dictionary(after):
        return _encoded_cast(old, new)
    if _is_text(before) and pt.is_binary(after):
        return lambda column: _each(column, after, _from_base64)
    if pt.is_binary(before) and _is_text(after):
        return lambda column: _each(column, after, _to_base64)
    if _is_text(before) and (pt.is_timestamp(after) or pt.is_date(after)):
        return lambda column: _instant(column, new)
    if (pt.is_timestamp(before) or pt.is_date(before)) and _is_text(after):
        return lambda column: temporal_text(column).cast(after)
    return lambda column: pc.cast(column, after)


def _encoded_cast(old: Field, new: Field) -> Cast:
    """Text with or without a dictionary, on either side."""
    plain_old = old.with_type(old.type.value_type) if pt.is_dictionary(old.type) else old
    plain_new = new.with_type(new.type.value_type) if pt.is_dictionary(new.type) else new
    inner = None
    if not plain_old.type.equals(plain_new.type):
        inner = _plain_cast(plain_old, plain_new)

    def cast(column: Array) -> Array:
        if isinstance(column, pa.DictionaryArray):
            column = column.dictionary_decode()
        if inner is not None:
            column = inner(column)
        if pt.is_dictionary(new.type):
            return column.dictionary_encode().cast(new.type)
        return column

    return cast


def _number(column: Array, after: Any) -> Array:
    """A number as the same number. Fractions of doubles are those of their shortest digits."""
    before = column.type
    if pt.is_floating(before):
        if pt.is_floating(after):
            return _narrowed(column, after)
        if pt.is_decimal(after):
            # A single is the double it is equal to; its own shortest digits would be fewer.
            return pc.cast(pc.cast(pc.cast(column, pa.float64()), pa.string()), after)
        return pc.cast(column, after)
    if pt.is_decimal(before) and pt.is_floating(after):
        doubles = pc.cast(pc.cast(column, pa.string()), pa.float64())
        back = pc.cast(pc.cast(doubles, pa.string()), before)
        if not back.equals(column):
            raise UnfitValueError("a decimal has more digits than a double keeps")
        return _narrowed(doubles, after)
    if pt.is_integer(before) and pt.is_decimal(after):
        wide = pa.decimal256(min(_WIDE, _INTEGER_DIGITS + after.scale), after.scale)
        return pc.cast(pc.cast(column, wide), after)
    return pc.cast(column, after)


def _narrowed(doubles: Array, after: Any) -> Array:
    narrow = pc.cast(doubles, after, safe=False)
    if doubles.type.bit_width <= after.bit_width:
        return narrow
    back = pc.cast(narrow, doubles.type)
    same = pc.or_(pc.equal(back, doubles), pc.and_(pc.is_nan(back), pc.is_nan(doubles)))
    if pc.all(same).as_py() is False:
        raise UnfitValueError(f"a number is not exact in {after}")
    return narrow


def _scaled_cast(before: Any, after: Any, old_scale: int | None, new_scale: int | None) -> Cast:
    """Integers that stand for decimals: the number is cast, not its digits."""
    held = before if old_scale is None else pa.decimal128(_SCALED_DIGITS, old_scale)
    wanted = after if new_scale is None else pa.decimal128(_SCALED_DIGITS, new_scale)

    def cast(column: Array) -> Array:
        if old_scale is not None:
            column = decoded_column(column.cast(pa.int64()), held)
        if not column.type.equals(wanted):
            column = _number(column, wanted)
        return column if new_scale is None else pc.cast(digits(column), after)

    return cast


def _instant(texts: Array, new: Field) -> Array:
    try:
        return pc.cast(texts, new.type)
    except pa.ArrowInvalid:
        converted = convert_plainly(texts, new)
        if converted.failures:
            raise
        return converted.values


def _each(column: Array, after: Any, convert: Callable[[Any], Any]) -> Array:
    values = [None if value is None else convert(value) for value in column.to_pylist()]
    return pa.array(values, after)


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _from_base64(text: str) -> bytes:
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        value = None
    if value is None or _to_base64(value) != text:
        raise UnfitValueError("a text is not base64")
    return value


def _scale(field: Field) -> int | None:
    scale = (field.metadata or {}).get(SCALE_KEY)
    return None if scale is None else int(scale)


def _is_number(kind: Any) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))


def _is_text(kind: Any) -> bool:
    return bool(pt.is_string(kind) or pt.is_large_string(kind))
