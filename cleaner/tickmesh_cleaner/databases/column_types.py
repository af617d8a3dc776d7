"""Arrow types by what a database can do with them, and the split of nanoseconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute

from tickmesh_cleaner.databases.engine import UnheldTypeError

if TYPE_CHECKING:
    from collections.abc import Iterator

# The stubs know neither plain Python operands nor some kernels, so kernels are called untyped.
pc: Any = pyarrow.compute

BELOW_MICROSECOND: Final = "_below_us"
"""Ends the name of the column of nanoseconds 0 to 999, where the database has microseconds."""


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type of a column's values: a dictionary's values are what counts."""
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def plain_columns(rows: pa.RecordBatch) -> Iterator[tuple[pa.Field[Any], Any]]:
    """The columns with dictionaries as their values."""
    for field, column in zip(rows.schema, rows.columns, strict=True):
        kind = plain_type(field.type)
        yield field.with_type(kind), column.cast(kind) if kind != field.type else column


def is_text(kind: pa.DataType) -> bool:
    """Whether values are texts; a column of nulls alone is taken as one."""
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def is_bytes(kind: pa.DataType) -> bool:
    """Whether values are bytes."""
    return (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_fixed_size_binary(kind)
        or pa.types.is_binary_view(kind)
    )


def has_nanoseconds(kind: pa.DataType) -> bool:
    """Whether instants or times of day have nanoseconds."""
    return (pa.types.is_timestamp(kind) or pa.types.is_time64(kind)) and kind.unit == "ns"


def split_nanoseconds(column: Any) -> tuple[Any, Any]:
    """Whole microseconds, rounded down, and the nanoseconds beyond them (0 to 999, int16)."""
    kind = column.type
    if pa.types.is_time64(kind):
        count = column.cast(pa.int64())
        whole = pc.divide(count, 1000)
        below = pc.subtract(count, pc.multiply(whole, 1000))
        return whole.cast(pa.time64("us")), below.cast(pa.int16())
    floored = pc.floor_temporal(column, unit="microsecond")
    return floored.cast(pa.timestamp("us", kind.tz)), pc.nanosecond(column).cast(pa.int16())


def unheld(field: pa.Field[Any], engine: str, remedy: str) -> UnheldTypeError:
    """The error for a column that cannot be held."""
    return UnheldTypeError(
        f"column {field.name!r} is {field.type}, which {engine} cannot hold exactly; {remedy}",
        column=field.name,
    )
