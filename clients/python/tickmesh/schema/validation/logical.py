"""How an Arrow type reads as JSON: the fixed logical mapping.

| Arrow | JSON |
| --- | --- |
| bool | boolean |
| int8..int64, uint8..uint64 | number, exact |
| float16, float32, float64 | number: the shortest decimal of the double; NaN is no JSON |
| decimal32..decimal256 | number, exact |
| utf8, large_utf8, string_view | string |
| binary kinds | string, base64 |
| timestamp with a zone | RFC 3339 string in UTC; an integer where the schema says so |
| timestamp without a zone | the same without an offset, so never a valid `date-time` |
| date32, date64 | string `YYYY-MM-DD` |
| time32, time64 | string `HH:MM:SS[.f]Z` |
| duration | integer of its unit |
| list, large_list, fixed_size_list, list views | array |
| struct | object; map | object with the map's keys |
| dictionary, run-end encoded | their value type |
| null | null |
| JSON text (`encodings`) | the value it holds, of any type |

A zone is never guessed. Intervals and unions have no JSON counterpart.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.schema.validation.dialects import UnsupportedSchemaError
from tickmesh.schema.validation.encodings import is_json_text


class Kind(Enum):
    """What the cells of a column are to JSON Schema."""

    NULL = auto()
    BOOLEAN = auto()
    INTEGER = auto()
    FLOAT = auto()
    DECIMAL = auto()
    STRING = auto()
    TEMPORAL = auto()
    BINARY = auto()
    ARRAY = auto()
    OBJECT = auto()
    MAP = auto()
    JSON = auto()

    @property
    def json_type(self) -> str:
        """The JSON type of a cell that is not null; ``any`` when cells may differ."""
        return _JSON_TYPES[self]

    @property
    def is_number(self) -> bool:
        """Whether the numeric keywords apply."""
        return self.json_type == "number"


_JSON_TYPES = {
    Kind.NULL: "null",
    Kind.BOOLEAN: "boolean",
    Kind.INTEGER: "number",
    Kind.FLOAT: "number",
    Kind.DECIMAL: "number",
    Kind.STRING: "string",
    Kind.TEMPORAL: "string",
    Kind.BINARY: "string",
    Kind.ARRAY: "array",
    Kind.OBJECT: "object",
    Kind.MAP: "object",
    Kind.JSON: "any",
}

_TESTS = (
    (is_json_text, Kind.JSON),
    (pt.is_null, Kind.NULL),
    (pt.is_boolean, Kind.BOOLEAN),
    (pt.is_integer, Kind.INTEGER),
    (pt.is_floating, Kind.FLOAT),
    (pt.is_decimal, Kind.DECIMAL),
    (pt.is_string, Kind.STRING),
    (pt.is_large_string, Kind.STRING),
    (pt.is_string_view, Kind.STRING),
    (pt.is_date, Kind.TEMPORAL),
    (pt.is_time, Kind.TEMPORAL),
    (pt.is_duration, Kind.INTEGER),
    (pt.is_binary, Kind.BINARY),
    (pt.is_large_binary, Kind.BINARY),
    (pt.is_binary_view, Kind.BINARY),
    (pt.is_fixed_size_binary, Kind.BINARY),
    (pt.is_struct, Kind.OBJECT),
    (pt.is_map, Kind.MAP),
    (pt.is_list, Kind.ARRAY),
    (pt.is_large_list, Kind.ARRAY),
    (pt.is_fixed_size_list, Kind.ARRAY),
    (pt.is_list_view, Kind.ARRAY),
    (pt.is_large_list_view, Kind.ARRAY),
)


def decoded_type(data_type: pa.DataType) -> pa.DataType:
    """The type a cell has once dictionary and run-end encodings are undone."""
    while pt.is_dictionary(data_type) or pt.is_run_end_encoded(data_type):
        data_type = data_type.value_type
    return data_type


def fields_of(data_type: pa.DataType) -> list[pa.Field[Any]]:
    """The fields of a struct type, in order.

    Raises:
        UnsupportedSchemaError: Two fields have one name, which no JSON object can have.
    """
    fields = [data_type.field(position) for position in range(data_type.num_fields)]
    if len({field.name for field in fields}) < len(fields):
        raise UnsupportedSchemaError(
            f"two columns have one name: expected distinct names, got {[f.name for f in fields]}"
        )
    return fields


def item_field(data_type: Any) -> pa.Field[Any]:
    """The field of the items of any list type, or of the values of a map."""
    field: pa.Field[Any] = data_type.item_field if pt.is_map(data_type) else data_type.value_field
    return field


def kind_of(data_type: pa.DataType, *, as_integer: bool = False) -> Kind:
    """The kind of a decoded type.

    Args:
        data_type: The Arrow type.
        as_integer: The schema reads this timestamp as the integer of its unit.

    Raises:
        UnsupportedSchemaError: The type has no JSON counterpart (intervals, unions).
    """
    data_type = decoded_type(data_type)
    if pt.is_timestamp(data_type):
        return Kind.INTEGER if as_integer else Kind.TEMPORAL
    for test, kind in _TESTS:
        if test(data_type):
            return kind
    raise UnsupportedSchemaError(f"a column of Arrow type {data_type} has no JSON counterpart")
