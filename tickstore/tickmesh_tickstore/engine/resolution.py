"""Reading rows of one schema version under another: columns by name, nothing lossy (T9)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh_tickstore.domain.errors import GenerationNotReadableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tickmesh_tickstore.domain.stamps import Stamp
    from tickmesh_tickstore.engine.columns import RowLayout

__all__ = ["Resolver", "reader_schema"]

_UNITS = ("s", "ms", "us", "ns")
_EXACT_INTEGER_BITS = {16: 11, 32: 24, 64: 53}


def reader_schema(reader: RowLayout, layouts: Iterable[RowLayout]) -> pa.Schema:
    """The schema of rows of all versions under one of them.

    A column that some version lacks or lets be null may be null, whatever the reader's says.
    """
    fields = []
    layouts = tuple(layouts)
    for field in reader.schema:
        nullable = any(_may_be_null(layout.schema, field.name) for layout in layouts)
        fields.append(field.with_nullable(nullable))
    return pa.schema(fields).with_metadata(reader.schema.metadata)


def _may_be_null(schema: pa.Schema, name: str) -> bool:
    index = schema.get_field_index(name)
    return index < 0 or schema.field(index).nullable


class Resolver:
    """Turns batches of any version of a dataset into batches of one schema."""

    def __init__(self, schema: pa.Schema, layout_of: Callable[[Stamp], RowLayout]) -> None:
        self._schema = schema
        self._layout_of = layout_of
        self._same: dict[Stamp, bool] = {}
        self._needed: dict[Stamp, tuple[str, ...]] = {}

    def needs(self, stamp: Stamp) -> tuple[str, ...]:
        """The columns of a written version that `resolve` wants to see.

        Raises:
            GenerationNotReadableError: A column cannot be read losslessly.
        """
        needed = self._needed.get(stamp)
        if needed is None:
            layout = self._layout_of(stamp)
            for field in self._schema:
                _require_lossless(layout, field)
            written = set(layout.schema.names)
            needed = tuple(name for name in self._schema.names if name in written)
            # Without any column nothing would say how many rows there are.
            needed = needed or tuple(layout.schema.names[:1])
            self._needed[stamp] = needed
        return needed

    def is_same(self, stamp: Stamp) -> bool:
        """Whether the needed columns are read as they were written, and no other one is added."""
        same = self._same.get(stamp)
        if same is None:
            written = self._layout_of(stamp).schema
            same = self._same[stamp] = self.needs(stamp) == tuple(self._schema.names) and all(
                field.type.equals(written.field(field.name).type) for field in self._schema
            )
        return same

    def resolve(self, batch: pa.RecordBatch, stamp: Stamp) -> pa.RecordBatch:
        """The batch under the reader's schema; columns that agree are not copied.

        Raises:
            GenerationNotReadableError: A column cannot be read losslessly.
        """
        if self.is_same(stamp):
            return pa.RecordBatch.from_arrays(
                [batch.column(name) for name in self._schema.names], schema=self._schema
            )
        names = set(batch.schema.names)
        columns = [
            _cast(batch.column(field.name), field, stamp)
            if field.name in names
            else pa.nulls(batch.num_rows, field.type)
            for field in self._schema
        ]
        return pa.record_batch(columns, schema=self._schema)


def _require_lossless(layout: RowLayout, field: pa.Field[Any]) -> None:
    index = layout.schema.get_field_index(field.name)
    if index < 0:
        return
    written = layout.schema.field(index).type
    if not is_lossless(written, field.type):
        raise _not_readable(field, written, layout.stamp)


def _not_readable(
    field: pa.Field[Any], written: pa.DataType, stamp: Stamp
) -> GenerationNotReadableError:
    return GenerationNotReadableError(
        f"column {field.name!r} of version {stamp.schema_version} is {written}, which cannot be "
        f"read losslessly as {field.type}: leave the column out or read before that change",
        metadata={
            "column": field.name,
            "schema_version": str(stamp.schema_version),
            "written_type": str(written),
            "reader_type": str(field.type),
        },
    )


def _cast(column: pa.Array[Any], field: pa.Field[Any], stamp: Stamp) -> pa.Array[Any]:
    if column.type.equals(field.type):
        return column
    try:
        if isinstance(column, pa.DictionaryArray):
            column = column.dictionary_decode()
        if pt.is_dictionary(field.type):
            return column.cast(field.type.value_type).dictionary_encode().cast(field.type)
        return pc.cast(column, field.type)
    except pa.ArrowInvalid as error:
        raise _not_readable(field, column.type, stamp) from error


def is_lossless(written: pa.DataType, reader: pa.DataType) -> bool:
    """Whether every value of one type is a value of the other, exactly.

    A finer timestamp unit counts as lossless although it spans fewer years: a value outside is
    found when it is cast, and refused then.
    """
    if written.equals(reader):
        return True
    if pt.is_dictionary(written):
        return is_lossless(written.value_type, reader)
    if pt.is_dictionary(reader):
        return is_lossless(written, reader.value_type)
    if _is_text(written):
        return _is_text(reader)
    if _is_bytes(written):
        return _is_bytes(reader)
    if pt.is_timestamp(written):
        return bool(
            pt.is_timestamp(reader)
            and (written.tz is None) == (reader.tz is None)
            and _UNITS.index(written.unit) <= _UNITS.index(reader.unit)
        )
    return _is_lossless_number(written, reader)


def _is_lossless_number(written: pa.DataType, reader: pa.DataType) -> bool:
    if pt.is_integer(written):
        bits: int = written.bit_width - (1 if pt.is_signed_integer(written) else 0)
        if pt.is_signed_integer(reader):
            return bool(bits <= reader.bit_width - 1)
        if pt.is_unsigned_integer(reader):
            return pt.is_unsigned_integer(written) and bool(bits <= reader.bit_width)
        if pt.is_floating(reader):
            return bits <= _EXACT_INTEGER_BITS[reader.bit_width]
        if pt.is_decimal(reader):
            return bool(len(str(1 << bits)) <= reader.precision - reader.scale)
        return False
    if pt.is_floating(written):
        return pt.is_floating(reader) and written.bit_width <= reader.bit_width
    if pt.is_decimal(written) and pt.is_decimal(reader):
        whole: int = written.precision - written.scale
        return bool(written.scale <= reader.scale) and whole <= reader.precision - reader.scale
    return False


def _is_text(data_type: pa.DataType) -> bool:
    return pt.is_string(data_type) or pt.is_large_string(data_type) or pt.is_string_view(data_type)


def _is_bytes(data_type: pa.DataType) -> bool:
    return pt.is_binary(data_type) or pt.is_large_binary(data_type) or pt.is_binary_view(data_type)
