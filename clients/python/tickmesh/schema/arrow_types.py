"""The Arrow types that the ``arrow`` keyword may name, and which JSON types each can hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tickmesh.schema.errors import SchemaError

if TYPE_CHECKING:
    import pyarrow as pa

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_PLAIN = {
    **dict.fromkeys(_INTEGERS, frozenset({"integer"})),
    "float32": frozenset({"integer", "number"}),
    "float64": frozenset({"integer", "number"}),
    "bool": frozenset({"boolean"}),
    "utf8": frozenset({"string"}),
    "large_utf8": frozenset({"string"}),
    "binary": frozenset({"string"}),
    "date32": frozenset({"string"}),
}
_DECIMAL = re.compile(r"^decimal(128|256)\((\d{1,2}), ?(\d{1,2})\)$")
_TIMESTAMP = re.compile(r"^timestamp\[(s|ms|us|ns)(?:, ?([A-Za-z][\w/+-]*))?\]$")
_TIME = re.compile(r"^(time32|time64|duration)\[(s|ms|us|ns)\]$")
_SCALED = re.compile(r"^scaled_int64\((\d{1,2})\)$")
_DICTIONARY = re.compile(r"^dictionary<(int8|int16|int32), ?utf8>$")

EXPECTED = (
    "int8 to uint64, float32, float64, bool, utf8, large_utf8, binary, date32, "
    "decimal128(p, s), decimal256(p, s), scaled_int64(s), timestamp[unit, zone], "
    "time32[unit], time64[unit], duration[unit], dictionary<int32, utf8>"
)


def parse_arrow_type(text: str) -> tuple[pa.DataType, frozenset[str], int | None]:
    """Read the value of an ``arrow`` keyword.

    Args:
        text: For example ``decimal128(18, 4)``, ``timestamp[ns, UTC]`` or ``scaled_int64(4)``
            (the number times 10^4, kept as int64).

    Returns:
        The type, the JSON types whose values it holds, and the decimal scale of a scaled integer.

    Raises:
        SchemaError: INVALID_ARROW_TYPE.
    """
    import pyarrow as arrow  # noqa: ICN001 - the stubs' literal overloads do not fit names from text

    pa: Any = arrow
    if text in _PLAIN:
        return pa.type_for_alias(text), _PLAIN[text], None
    try:
        if found := _DECIMAL.match(text):
            make = pa.decimal128 if found[1] == "128" else pa.decimal256
            return (
                make(int(found[2]), int(found[3])),
                frozenset({"integer", "number"}),
                None,
            )
        if found := _TIMESTAMP.match(text):
            return pa.timestamp(found[1], found[2]), frozenset({"integer", "string"}), None
        if found := _TIME.match(text):
            make_time = {"time32": pa.time32, "time64": pa.time64, "duration": pa.duration}
            return make_time[found[1]](found[2]), frozenset({"integer", "string"}), None
    except ValueError as error:
        raise SchemaError("INVALID_ARROW_TYPE", f"{text!r}: {error}") from None
    if found := _SCALED.match(text):
        return pa.int64(), frozenset({"integer", "number"}), int(found[1])
    if found := _DICTIONARY.match(text):
        return (
            pa.dictionary(pa.type_for_alias(found[1]), pa.utf8()),
            frozenset({"string"}),
            None,
        )
    raise SchemaError(
        "INVALID_ARROW_TYPE", f"{text!r} is no Arrow type taken here; taken are {EXPECTED}"
    )
