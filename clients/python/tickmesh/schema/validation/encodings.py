"""Columns that the projection encodes, as what they stand for.

A scaled integer stands for a decimal, and JSON text for the value it holds. Field metadata says
which columns are encoded so; judging and reading rows starts from the decoded view.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.schema.field_metadata import ENCODING_KEY, SCALE_KEY
from tickmesh.schema.validation import kernels

if TYPE_CHECKING:
    from tickmesh.schema.field_metadata import Metadata
    from tickmesh.schema.validation.kernels import Array

JSON_TEXT = pa.json_(pa.utf8())
"""Marks a column of JSON texts, wherever it stands."""

_INT64_DIGITS = 19


def decoded_schema(schema: pa.Schema) -> pa.Schema:
    """Return a schema with the types that encoded fields stand for; itself when none is."""
    # A schema makes its field objects anew each time it is walked.
    before = list(schema)
    fields = [_decoded_field(field) for field in before]
    if all(new is old for new, old in zip(fields, before, strict=True)):
        return schema
    return pa.schema(fields, metadata=cast("Metadata | None", schema.metadata))


def decoded_batch(batch: pa.RecordBatch, decoded: pa.Schema) -> pa.RecordBatch:
    """Return a batch whose encoded columns have the types of its schema's `decoded_schema`."""
    columns = [
        decoded_column(column, field.type)
        for column, field in zip(batch.columns, decoded, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, schema=decoded)


def json_texts(array: Array) -> Array:
    """Return the texts of a column of `JSON_TEXT`."""
    held: Any = array
    texts: Array = held.storage
    return texts


def is_json_text(data_type: pa.DataType) -> bool:
    """Whether a decoded type is that of JSON texts."""
    return data_type == JSON_TEXT


def _decoded_field(field: pa.Field[Any]) -> pa.Field[Any]:
    metadata = field.metadata or {}
    if metadata.get(ENCODING_KEY) == b"json" and pt.is_string(field.type):
        return field.with_type(JSON_TEXT)
    if SCALE_KEY in metadata and pt.is_int64(field.type):
        return field.with_type(pa.decimal128(_INT64_DIGITS, int(metadata[SCALE_KEY])))
    kind: Any = field.type
    if pt.is_struct(kind):
        members = [_decoded_field(member) for member in kind]
        if any(new is not old for new, old in zip(members, kind, strict=True)):
            return field.with_type(pa.struct(members))
    elif pt.is_list(kind):
        item = _decoded_field(kind.value_field)
        if item.type != kind.value_type:
            return field.with_type(pa.list_(item))
    elif pt.is_map(kind):
        value = _decoded_field(kind.item_field)
        if value.type != kind.item_type:
            return field.with_type(pa.map_(kind.key_type, cast("pa.DataType", value)))
    return field


def decoded_column(array: Array, kind: Any) -> Array:
    """Return a column as the decoded type; itself when nothing in it is encoded."""
    if array.type == kind:
        return array
    if is_json_text(kind):
        return pa.ExtensionArray.from_storage(kind, array.cast(pa.utf8()))
    if pt.is_decimal(kind):
        whole = array.cast(pa.decimal128(_INT64_DIGITS, 0))
        return pa.Array.from_buffers(
            kind, len(whole), whole.buffers(), whole.null_count, whole.offset
        )
    if pt.is_struct(kind):
        held: Any = array
        parts = [
            decoded_column(held.field(place), member.type) for place, member in enumerate(kind)
        ]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=array.is_null())
    return _decoded_list(array, kind)


def _decoded_list(array: Array, kind: Any) -> Array:
    """Lists and maps, which share a layout: offsets into one run of items."""
    lengths = kernels.list_length([as_list(array)]).fill_null(0)
    ends: list[Any] = [pa.array([0], pa.int32()), kernels.running_sum([lengths]).cast(pa.int32())]
    offsets = pa.concat_arrays(ends)
    items = kernels.list_flatten([as_list(array)])
    missing = array.is_null()
    if not pt.is_map(kind):
        values = decoded_column(items, kind.value_type)
        return pa.ListArray.from_arrays(offsets, values, type=kind, mask=missing)
    keys = kernels.struct_field(items, 0)
    values = decoded_column(kernels.struct_field(items, 1), kind.item_type)
    # The stubs know offsets of 64 bits only, which is what maps do not have.
    maps: Any = pa.MapArray
    built: Array = maps.from_arrays(offsets, keys, values, type=kind, mask=missing)
    return built


def as_list(array: Array) -> Array:
    """Return a map as the list of its entries, over the same memory; lists as they are.

    Arrow's own cast refuses maps of structs that are null here and there while their members may
    not be.
    """
    if not pt.is_map(array.type):
        return array
    held: Any = array
    names = ["key", "value"]
    entries = pa.StructArray.from_arrays([held.keys, held.items], names=names)
    return pa.Array.from_buffers(
        pa.list_(entries.type),
        len(array),
        array.buffers()[:2],
        array.null_count,
        array.offset,
        [entries],
    )


def json_of(text: str) -> Any:
    """Read JSON text, every number exact.

    Raises:
        ValueError: It is no JSON.
    """
    from decimal import Decimal

    return json.loads(text, parse_float=Decimal, parse_constant=_refuse)


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")
