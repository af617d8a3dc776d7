"""Rows as JSON text, written column by column.

Every kind of cell that JSON holds as it is has its kernels here: numbers, booleans, text, instants,
decimals. Rows with others (nested ones, binary) are left to whoever asks, row by row.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.arrow import all_true, any_true, nulls, pc

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from tickmesh.decoding.arrow import Array

_ESCAPED: Final = r'["\\\x00-\x1f]'
"""What JSON text cannot hold as it is, when anything beyond ASCII may stand."""

_TRAILING_ZEROS: Final = r"(\.\d*?)0+$"
_TRAILING_POINT: Final = r"\.$"
_QUOTE: Final = pa.scalar('"')
_NOTHING: Final = pa.scalar("")
_NONFINITE: Final = {math.inf: '"Infinity"', -math.inf: '"-Infinity"'}


def json_texts(column: Array, *, integer_time: bool = False) -> Array | None:
    """The cells of a column as JSON text; null where they are null.

    Instants are RFC 3339 in UTC with the digits they need, those without a zone bear none. Decimals
    keep every digit. Numbers JSON has no word for become text: `"NaN"`, `"Infinity"`.

    Args:
        column: The cells.
        integer_time: Whether instants are the integer of their unit.

    Returns:
        Text, as many as cells; None for a type whose cells are written one by one.
    """
    kind = column.type
    if pt.is_dictionary(kind):
        texts = json_texts(column.dictionary, integer_time=integer_time)
        return None if texts is None else texts.take(column.indices)
    if pt.is_string(kind) or pt.is_large_string(kind):
        return _of_strings(column)
    if pt.is_integer(kind):
        return column.cast(pa.string())
    if pt.is_boolean(kind):
        return pc.if_else(column, pa.scalar("true"), pa.scalar("false"))
    if pt.is_floating(kind):
        return _of_floats(column)
    if pt.is_decimal(kind):
        return _of_values(column, str)
    if pt.is_timestamp(kind):
        if integer_time:
            return column.cast(pa.int64()).cast(pa.string())
        return _of_instants(column)
    return nulls(len(column), pa.string()) if pt.is_null(kind) else None


def object_texts(
    columns: Iterable[tuple[str, Array]], length: int, *, null_fields: Collection[str] = ()
) -> Array:
    """Join the columns' texts to one JSON object a row.

    Args:
        columns: The name of each field, and the `json_texts` of its column.
        length: How many rows there are.
        null_fields: Fields whose null cells are null; those of all others are absent.
    """
    members = []
    for name, column in columns:
        cells = column.fill_null("null") if name in null_fields else column
        label = pa.scalar(", " + json.dumps(name, ensure_ascii=False) + ": ")
        members.append(pc.binary_join_element_wise(label, cells, _NOTHING))
    if not members:
        return pa.repeat("{}", length)
    # Not by skipping nulls and joining with ", ": that kernel leaves out rows that are all null.
    joined = pc.binary_join_element_wise(*members, _NOTHING, null_handling="replace")
    within = pc.utf8_slice_codeunits(joined, 2)
    return pc.binary_join_element_wise(pa.scalar("{"), within, pa.scalar("}"), _NOTHING)


def _of_strings(column: Array) -> Array:
    if any_true(pc.match_substring_regex(column, _ESCAPED)):
        return _of_values(column, lambda text: json.dumps(text, ensure_ascii=False))
    return pc.binary_join_element_wise(_QUOTE, column.cast(pa.string()), _QUOTE, _NOTHING)


def _of_instants(column: Array) -> Array:
    # Cast to text, an instant with a zone would need that zone's database: it is UTC already.
    text = column.cast(pa.timestamp(column.type.unit)).cast(pa.string())
    text = pc.replace_substring(text, " ", "T", max_replacements=1)
    text = pc.replace_substring_regex(text, _TRAILING_ZEROS, r"\1")
    text = pc.replace_substring_regex(text, _TRAILING_POINT, "")
    end = pa.scalar('"' if column.type.tz is None else 'Z"')
    return pc.binary_join_element_wise(_QUOTE, text, end, _NOTHING)


def _of_floats(column: Array) -> Array:
    if not all_true(pc.is_finite(column)):
        return _of_values(column, _float_text)
    # One call for all of them: the shortest text that reads back as the same number.
    texts = json.dumps(column.fill_null(0).to_pylist())[1:-1].split(", ") if len(column) else []
    found = pa.array(texts, pa.string())
    return pc.if_else(column.is_valid(), found, None) if column.null_count else found


def _of_values(column: Array, text_of: Any) -> Array:
    values: Sequence[Any] = column.to_pylist()
    return pa.array([None if value is None else text_of(value) for value in values], pa.string())


def _float_text(value: float) -> str:
    return repr(value) if math.isfinite(value) else _NONFINITE.get(value, '"NaN"')
