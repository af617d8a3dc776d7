"""How each column is encoded in a settled segment: by its type, and by how often values repeat.

Measured on recorded quotes and trades (bytes a value; million values a second decoded by a core):

- Prices and sizes repeat: a dictionary takes 0.03 to 1.8 bytes where BYTE_STREAM_SPLIT takes 0.07
  to 5, and is read faster. LZ4 is enough for its codes: zstd saves little more at half the speed.
- Times hardly repeat: DELTA_BINARY_PACKED with zstd takes 0.7 to 3.3 bytes, a dictionary 2.5 to 8.
- What hardly repeats otherwise: integers as deltas, floats and decimals byte by byte, texts as they
  are, all with zstd at its fastest level.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Encodings", "choose_encodings"]

Codec = Literal["lz4", "zstd"]

_SAMPLED_ROWS = 16_384
_REPEATING = 4
"""A dictionary pays where a value comes so often among the sampled ones."""
_ZSTD_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Encodings:
    """What a Parquet writer is told, by column path.

    Attributes:
        dictionaries: Paths with a dictionary.
        encodings: The encoding of others; theirs is plain where it is not said.
        compressions: The codec of every path.
        levels: The level of those codecs that have one.
    """

    dictionaries: tuple[str, ...]
    encodings: dict[str, str]
    compressions: dict[str, Codec]
    levels: dict[str, int]


def choose_encodings(sample: pa.Table) -> Encodings:
    """Choose by some rows as they will be written."""
    dictionaries: list[str] = []
    encodings: dict[str, str] = {}
    compressions: dict[str, Codec] = {}
    step = max(1, sample.num_rows // _SAMPLED_ROWS)
    places = pa.array(range(0, sample.num_rows, step), pa.int64())
    for index, field in enumerate(sample.schema):
        for path, leaf in _leaves(field.name, field.type):
            compressions[path] = "zstd"
            encoding = _encoding(leaf)
            if pt.is_nested(field.type):
                # A writer gives up a dictionary that grows too large by itself.
                dictionaries.append(path)
            elif pt.is_dictionary(leaf) or (
                not _is_time(leaf) and _repeats(sample.column(index).take(places))
            ):
                dictionaries.append(path)
                compressions[path] = "lz4"
            elif encoding is not None:
                encodings[path] = encoding
    levels = {path: _ZSTD_LEVEL for path, codec in compressions.items() if codec == "zstd"}
    return Encodings(tuple(dictionaries), encodings, compressions, levels)


def _leaves(path: str, data_type: pa.DataType) -> Iterator[tuple[str, pa.DataType]]:
    """The Parquet columns an Arrow column becomes, as named without compliant list names."""
    if pt.is_map(data_type):
        yield from _leaves(f"{path}.key_value.key", data_type.key_type)
        yield from _leaves(f"{path}.key_value.value", data_type.item_type)
    elif pt.is_struct(data_type):
        for index in range(data_type.num_fields):
            field = data_type.field(index)
            yield from _leaves(f"{path}.{field.name}", field.type)
    elif pt.is_nested(data_type):
        field = data_type.field(0)
        yield from _leaves(f"{path}.list.{field.name}", field.type)
    else:
        yield path, data_type


def _is_time(data_type: pa.DataType) -> bool:
    return pt.is_timestamp(data_type)


def _repeats(values: pa.ChunkedArray[Any]) -> bool:
    data_type = values.type
    if pt.is_boolean(data_type) or pt.is_null(data_type) or len(values) < _REPEATING:
        return False
    try:
        distinct = pc.count_distinct(values).as_py()
    except pa.ArrowNotImplementedError:
        # No kernel counts nested values; a dictionary would not be of whole ones anyway.
        return False
    return bool(distinct * _REPEATING <= len(values))


def _encoding(data_type: pa.DataType) -> str | None:
    if pt.is_integer(data_type) or pt.is_temporal(data_type):
        return "DELTA_BINARY_PACKED"
    if pt.is_floating(data_type) or pt.is_decimal(data_type):
        return "BYTE_STREAM_SPLIT"
    return None
