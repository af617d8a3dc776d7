"""Arrow rows as exact JSON documents: what the row oracle judges and what a person reads."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tickmesh.schema.validation import kernels
from tickmesh.schema.validation.encodings import (
    as_list,
    decoded_column,
    decoded_schema,
    json_of,
    json_texts,
)
from tickmesh.schema.validation.logical import Kind, fields_of, item_field, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tickmesh.schema.validation.kernels import Array

Rows: TypeAlias = pa.RecordBatch | pa.Table

Path: TypeAlias = tuple[str | None, ...]
"""Where a cell stands in a row: names of fields, None for any item of a list."""


_DATE_TIME_SEPARATOR = pc.ReplaceSubstringOptions(" ", "T", max_replacements=1)


class NullMeans(StrEnum):
    """How a null cell of a field reads as JSON.

    An item of a list cannot be absent: a null item always reads as null.
    """

    ABSENT = "absent"
    NULL = "null"
    EITHER = "either"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in a row that no JSON document can hold."""

    code: str
    instance_path: tuple[str | int, ...]
    message: str


@dataclass(slots=True)
class RenderedRow:
    """One row as a document.

    Attributes:
        document: The row; a cell that is no JSON stands as null.
        faults: The cells that are no JSON.
        open_cells: Null cells whose reading may matter: the object and the key of each.
    """

    document: dict[str, Any]
    faults: list[Fault] = field(default_factory=list)
    open_cells: list[tuple[dict[str, Any], str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Rendering:
    """How the cells of a row that JSON leaves open are to be read.

    Attributes:
        null_paths: Fields whose null cells read as null; elsewhere they read as absent.
        all_null: Every null cell reads as null.
        open_paths: Fields whose null cells are reported as open.
        integer_paths: Timestamps that read as the integer of their unit.
        decoded: The types that the columns stand for; None goes by the rows' own metadata.
    """

    null_paths: frozenset[Path] = frozenset()
    all_null: bool = False
    open_paths: frozenset[Path] = frozenset()
    integer_paths: frozenset[Path] = frozenset()
    decoded: pa.Schema | None = None

    def rows(self, rows: Rows, indices: Array | Sequence[int] | None = None) -> list[RenderedRow]:
        """Render the rows at ``indices`` (all rows when None), in that order."""
        columns = []
        decoded = self.decoded or decoded_schema(rows.schema)
        for position, name in enumerate(rows.schema.names):
            column = decoded_column(_whole(rows.column(position)), decoded.field(position).type)
            array = decode(column)
            if indices is not None:
                array = array.take(pa.array(indices, pa.int64()))
            columns.append((name, self._cells(array, (name,))))
        rendered = []
        for index in range(rows.num_rows if indices is None else len(indices)):
            row = RenderedRow({})
            self._fill(row, row.document, (), [(name, cells[index]) for name, cells in columns], ())
            rendered.append(row)
        return rendered

    def _fill(
        self,
        row: RenderedRow,
        target: dict[str, Any],
        path: Path,
        cells: Iterable[tuple[str, Any]],
        place: tuple[str | int, ...],
    ) -> None:
        for name, cell in cells:
            here = (*path, name)
            if cell is None:
                if self.all_null or here in self.null_paths:
                    target[name] = None
                if here in self.open_paths:
                    row.open_cells.append((target, name))
            else:
                target[name] = self._value(row, cell, here, (*place, name))

    def _value(self, row: RenderedRow, cell: Any, path: Path, place: tuple[str | int, ...]) -> Any:
        if isinstance(cell, _Object):
            target: dict[str, Any] = {}
            self._fill(row, target, path, cell.cells, place)
            return target
        if isinstance(cell, _Map):
            entries: dict[str, Any] = {}
            for key, value in cell.cells:
                if key in entries:
                    row.faults.append(Fault("DUPLICATE_KEY", place, f"key {key!r} stands twice"))
                entries[key] = self._value(row, value, (*path, None), (*place, key))
            return entries
        if isinstance(cell, list):
            return [
                self._value(row, item, (*path, None), (*place, index))
                for index, item in enumerate(cell)
            ]
        if isinstance(cell, _Json):
            try:
                return json_of(cell.text)
            except ValueError:
                row.faults.append(Fault("INVALID_JSON", place, "the text is not JSON"))
                return None
        if isinstance(cell, float) and not math.isfinite(cell):
            row.faults.append(Fault("NONFINITE", place, f"{cell} is not a JSON number"))
            return None
        return cell

    def _cells(self, array: Array, path: Path) -> list[Any]:
        """The cells of a column: None for null, `_Object`, `_Map`, list or a JSON scalar."""
        array = decode(array)
        kind = kind_of(array.type, as_integer=path in self.integer_paths)
        if kind is Kind.OBJECT:
            return self._objects(array, path)
        if kind in {Kind.ARRAY, Kind.MAP}:
            return self._lists(array, path, kind)
        if kind is Kind.JSON:
            texts = json_texts(array).to_pylist()
            return [None if cell is None else _Json(cell) for cell in texts]
        if kind is Kind.TEMPORAL:
            return temporal_text(array).to_pylist()
        if kind is Kind.BINARY:
            return [
                None if cell is None else base64.b64encode(cell).decode("ascii")
                for cell in array.to_pylist()
            ]
        if kind is Kind.INTEGER and not pt.is_integer(array.type):
            return array.view(pa.int64()).to_pylist()
        return array.to_pylist()

    def _objects(self, array: Array, path: Path) -> list[Any]:
        children = [
            (field.name, self._cells(kernels.struct_field(array, position), (*path, field.name)))
            for position, field in enumerate(fields_of(array.type))
        ]
        return [
            _Object([(name, cells[index]) for name, cells in children]) if valid else None
            for index, valid in enumerate(array.is_valid().to_pylist())
        ]

    def _lists(self, array: Array, path: Path, kind: Kind) -> list[Any]:
        array = as_list(array)
        lengths = kernels.list_length([array]).to_pylist()
        stream = iter(self._items(array, path, kind) if any(lengths) else ())
        cells: list[Any] = []
        for length in lengths:
            if length is None:
                cells.append(None)
                continue
            chunk = [next(stream) for _ in range(length)]
            cells.append(_Map(chunk) if kind is Kind.MAP else chunk)
        return cells

    def _items(self, array: Array, path: Path, kind: Kind) -> list[Any]:
        """The items of lists that are not all empty: an empty array is not built of every type."""
        entries = kernels.list_flatten([array])
        if kind is not Kind.MAP:
            return self._cells(entries, (*path, None))
        keys = self._cells(kernels.struct_field(entries, 0), (*path, None))
        values = self._cells(kernels.struct_field(entries, 1), (*path, None))
        return [(str(key), value) for key, value in zip(keys, values, strict=True)]


def row_documents(
    rows: Rows,
    indices: Array | Sequence[int] | None = None,
    *,
    null_means: NullMeans = NullMeans.ABSENT,
) -> list[dict[str, Any]]:
    """Arrow rows as JSON documents, exactly.

    Integers of any width stay integers, decimals become `decimal.Decimal`, timestamps RFC 3339
    text with every digit of their unit (never `datetime`, which cannot hold nanoseconds), binary
    base64 text.  A NaN or an infinity, which JSON cannot hold, becomes null.

    Args:
        rows: A record batch or a table.
        indices: Which rows, in which order; all rows when None.
        null_means: Whether a null cell of a field is left out or written as null.

    Raises:
        ValueError: ``null_means`` is EITHER, which names no single document.
        UnsupportedSchemaError: A column's type has no JSON counterpart.
    """
    if null_means is NullMeans.EITHER:
        raise ValueError("a document needs one reading of null: expected ABSENT or NULL")
    rendering = Rendering(all_null=null_means is NullMeans.NULL)
    return [row.document for row in rendering.rows(rows, indices)]


_PLAIN: list[pa.DataType] = [
    pa.bool_(), pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(),
    pa.uint32(), pa.uint64(), pa.float16(), pa.float32(), pa.float64(), pa.string(),
    pa.large_string(), pa.binary(), pa.large_binary(), pa.date32(), pa.date64(),
    pa.time32("s"), pa.time64("ns"), pa.timestamp("ns"), pa.duration("ns"),
    pa.decimal128(1), pa.decimal256(1),
]  # fmt: skip
PLAIN_TYPES = frozenset(data_type.id for data_type in _PLAIN)
"""The ids of the types whose arrays stand for themselves and count their own nulls."""


def decode(array: Array) -> Array:
    """Undo the dictionary, run-end and view encodings of a column, which few kernels take."""
    if array.type.id in PLAIN_TYPES:
        return array
    if isinstance(array, pa.RunEndEncodedArray):
        return decode(kernels.run_end_decode([array]))
    if isinstance(array, pa.DictionaryArray):
        return decode(array.dictionary_decode())
    plain = _without_views(array.type)
    return array if plain is array.type else array.cast(plain)


def _without_views(data_type: pa.DataType) -> pa.DataType:
    """The same type with offsets in place of views; the very same object when it has none."""
    if pt.is_string_view(data_type):
        return pa.large_string()
    if pt.is_binary_view(data_type):
        return pa.large_binary()
    if pt.is_struct(data_type):
        fields = fields_of(data_type)
        plain = [_without_views(field.type) for field in fields]
        if all(new is field.type for new, field in zip(plain, fields, strict=True)):
            return data_type
        return pa.struct([f.with_type(t) for f, t in zip(fields, plain, strict=True)])
    if pt.is_map(data_type):
        parts = [data_type.key_type, data_type.item_type]
        plain = [_without_views(part) for part in parts]
        if all(new is part for new, part in zip(plain, parts, strict=True)):
            return data_type
        mapped: pa.DataType = pa.map_(*plain)
        return mapped
    if pt.is_fixed_size_list(data_type):
        item = item_field(data_type)
        plain_item = _without_views(item.type)
        if plain_item is not item.type:
            fixed: pa.DataType = pa.list_(item.with_type(plain_item), data_type.list_size)
            return fixed
        return data_type
    views = pt.is_list_view(data_type) or pt.is_large_list_view(data_type)
    if views or pt.is_list(data_type) or pt.is_large_list(data_type):
        item = item_field(data_type)
        plain_item = _without_views(item.type)
        if plain_item is not item.type or views:
            return pa.large_list(item.with_type(plain_item))
    return data_type


def temporal_text(array: Array) -> Array:
    """RFC 3339 text of timestamps, dates and times, with every digit of the unit.

    An instant is written in UTC (``Z``).  A timestamp without a zone gets no offset: which zone it
    means is not known here.
    """
    if pt.is_timestamp(array.type):
        zoned = array.type.tz is not None
        text = array.cast(pa.timestamp(array.type.unit)).cast(pa.string())
        text = kernels.replace_substring([text], _DATE_TIME_SEPARATOR)
        return _with_suffix(text, "Z") if zoned else text
    text = array.cast(pa.string())
    return _with_suffix(text, "Z") if pt.is_time(array.type) else text


def _with_suffix(text: Array, suffix: str) -> Array:
    return kernels.join([text, pa.scalar(suffix), pa.scalar("")])


def _whole(column: Array | pa.ChunkedArray[Any]) -> Array:
    if isinstance(column, pa.ChunkedArray):
        whole: Array = (
            pa.concat_arrays(column.chunks) if column.num_chunks else column.combine_chunks()
        )
        return whole
    return column


@dataclass(frozen=True, slots=True)
class _Object:
    cells: list[tuple[str, Any]]


@dataclass(frozen=True, slots=True)
class _Json:
    text: str


@dataclass(frozen=True, slots=True)
class _Map:
    cells: list[tuple[str, Any]]
