"""Writing settled segments: Parquet, in order of event time, readable by any Parquet reader.

Where rows did not arrive in order of event time, a column says where each came; all stamps stand in
the footer (`settled_outline`).
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tickmesh_tickstore.engine.columns import ARRIVAL_COLUMN
from tickmesh_tickstore.engine.dictionaries import compact_dictionaries
from tickmesh_tickstore.engine.disk.settled_encoding import choose_encodings
from tickmesh_tickstore.engine.disk.settled_outline import Group, Outline, stamps_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tickmesh_tickstore.engine.columns import RowLayout
    from tickmesh_tickstore.engine.disk.filesystem import FileSystem
    from tickmesh_tickstore.engine.stored_rows import StoredRows

__all__ = ["write_settled"]

_GROUP_ROWS = 131_072
_LEAST_GROUP_ROWS = 1_024
_LISTED_SYMBOLS = 1_024
_DICTIONARY_BYTES = 8 << 20
_FIELD_ID, _PARQUET_FIELD_ID = b"tickmesh.field_id", b"PARQUET:field_id"


def write_settled(
    path: Path,
    layout: RowLayout,
    neighbours: Sequence[StoredRows],
    *,
    files: FileSystem,
    group_bytes: int,
) -> int:
    """Write neighbours of one schema version as one segment, and bring it onto stable storage.

    Args:
        path: A file that does not exist.
        layout: The rows' schema version.
        neighbours: All rows in order of arrival.
        files: Where every write and sync goes.
        group_bytes: Rows written, and later read, together take about so many bytes in memory at
            most.

    Returns:
        The file's bytes.

    Raises:
        OSError: The file cannot be written.
        pa.ArrowException: Parquet cannot hold such columns.
    """
    table = pa.Table.from_batches([stored.read().batch for stored in neighbours], layout.schema)
    table = table.unify_dictionaries().combine_chunks()
    order = _time_order(table, layout)
    if order is not None:
        table = table.take(order).append_column(
            pa.field(ARRIVAL_COLUMN, pa.int64(), nullable=False), order
        )
    table = pa.Table.from_arrays(table.columns, schema=_with_field_ids(table.schema))
    slices = list(_groups(table, group_bytes))
    outline = Outline(
        tuple(_describe(each, start, layout, in_order=order is None) for start, each in slices),
        stamps_of(neighbours),
        in_order=order is None,
    )
    sink = _Sink(path, files)
    try:
        with _writer(sink, table, slices[len(slices) // 2][1], layout) as writer:
            for _, each in slices:
                writer.write_table(each, row_group_size=each.num_rows)
            writer.add_key_value_metadata(outline.to_metadata())
        sink.sync()
    finally:
        sink.close()
    return sink.tell()


def _time_order(table: pa.Table, layout: RowLayout) -> pa.Array[Any] | None:
    """The rows' places by event time, equal ones as they arrived; `None` when they are in order."""
    if layout.event_time is None or table.num_rows < 2:
        return None
    times = table.column(layout.event_time)
    if not times.null_count:
        in_order = pc.all(pc.less_equal(times.slice(0, len(times) - 1), times.slice(1)))
        if in_order.as_py():
            return None
    # Rows without a time come last.
    order = pc.sort_indices(times, sort_keys=[("", "ascending")]).cast(pa.int64())
    if times.null_count and order.equals(pa.array(range(len(order)), pa.int64())):
        return None
    return order


def _groups(table: pa.Table, group_bytes: int) -> Iterator[tuple[int, pa.Table]]:
    rows = max(1, group_bytes * table.num_rows // max(table.nbytes, 1))
    step = min(_GROUP_ROWS, max(_LEAST_GROUP_ROWS, rows))
    for start in range(0, table.num_rows, step):
        group = table.slice(start, step).combine_chunks()
        (batch,) = group.to_batches()
        yield start, pa.Table.from_batches([compact_dictionaries(batch)])


def _describe(group: pa.Table, start: int, layout: RowLayout, *, in_order: bool) -> Group:
    (batch,) = group.to_batches()
    arrivals = (start, start + group.num_rows)
    if not in_order:
        places = pc.min_max(batch.column(ARRIVAL_COLUMN))
        arrivals = (places["min"].as_py(), places["max"].as_py() + 1)
    symbols = None
    if layout.symbol is not None:
        column = batch.column(layout.symbol)
        if isinstance(column, pa.DictionaryArray):
            column = column.dictionary.take(pc.unique(column.indices.drop_null()))
        known = pc.unique(column.drop_null())
        if len(known) <= _LISTED_SYMBOLS:
            symbols = frozenset(str(symbol) for symbol in known)
    return Group(group.num_rows, group.nbytes, layout.time_span(batch), arrivals, symbols)


def _with_field_ids(schema: pa.Schema) -> pa.Schema:
    """The schema with field ids where Parquet readers look for them."""
    fields = []
    for field in schema:
        metadata: dict[Any, Any] = dict(field.metadata or {})
        if _FIELD_ID in metadata:
            metadata[_PARQUET_FIELD_ID] = metadata[_FIELD_ID]
        fields.append(field.with_metadata(metadata))
    return pa.schema(fields).with_metadata(schema.metadata)


def _writer(sink: _Sink, table: pa.Table, sample: pa.Table, layout: RowLayout) -> pq.ParquetWriter:
    encodings = choose_encodings(sample)
    sorted_by = (
        [pq.SortingColumn(table.schema.get_field_index(layout.event_time))]
        if layout.event_time is not None
        else None
    )
    # The stubs know a flag only; a list names the columns with a dictionary.
    dictionaries: Any = list(encodings.dictionaries)
    return pq.ParquetWriter(
        pa.PythonFile(sink, mode="w"),
        table.schema,
        version="2.6",
        use_dictionary=dictionaries,
        column_encoding=encodings.encodings or None,
        compression=dict(encodings.compressions),
        compression_level=encodings.levels,
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        write_statistics=_with_bounds(table),
        write_page_checksum=True,
        use_compliant_nested_type=False,
        sorting_columns=sorted_by,
    )


def _with_bounds(table: pa.Table) -> list[str]:
    """The columns whose least and greatest value bound all of them: NaN lies outside of bounds."""
    return [
        field.name
        for field, column in zip(table.schema, table.columns, strict=True)
        if not pa.types.is_nested(field.type)
        and not (
            pa.types.is_floating(field.type) and pc.any(pc.is_nan(column), min_count=0).as_py()
        )
    ]


class _Sink(io.RawIOBase):
    """A new file, written through the engine's file system."""

    def __init__(self, path: Path, files: FileSystem) -> None:
        super().__init__()
        self._files = files
        self._descriptor = files.create(path)
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        self._files.write(self._descriptor, [view], self._size)
        self._size += len(view)
        return len(view)

    def tell(self) -> int:
        return self._size

    def sync(self) -> None:
        """Bring what was written onto stable storage."""
        self._files.sync(self._descriptor)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._files.close(self._descriptor)
