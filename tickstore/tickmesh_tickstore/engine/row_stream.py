"""The rows of one read, which are read from storage as they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["RowStream"]


class RowStream:
    """The answer to a read: batches in order, under one schema. Read it once, from one thread.

    Rows in Parquet are decoded a few megabytes at a time while the stream is read, so a whole scan
    takes bounded memory. An error in mid-stream (`DatasetDamagedError`,
    `GenerationNotReadableError`) is raised by whatever reads on.

    Attributes:
        schema: The schema of every batch.
    """

    def __init__(self, schema: pa.Schema, tables: Iterator[pa.Table]) -> None:
        self.schema = schema
        self._tables = tables
        self._held: pa.Table | None = None

    @classmethod
    def held(cls, table: pa.Table) -> RowStream:
        """The stream of rows that lie in memory, or in memory-mapped files, as they are."""
        stream = cls(table.schema, iter((table,)))
        stream._held = table
        return stream

    @property
    def is_held(self) -> bool:
        """Whether no row has to be read or changed any more.

        Then `to_reader` is a C++ reader that needs no Python to go on and cannot fail.
        """
        return self._held is not None

    def tables(self) -> Iterator[pa.Table]:
        """The rows as tables of some megabytes or of memory-mapped rows; none is empty."""
        return self._tables

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        """The rows as batches, none of which is empty or larger than a reader may be handed."""
        for table in self._tables:
            yield from table.to_batches()

    def to_reader(self) -> pa.RecordBatchReader:
        """The rows as an Arrow reader."""
        if self._held is not None:
            return self._held.to_reader()
        return pa.RecordBatchReader.from_batches(self.schema, iter(self))

    def read_all(self) -> pa.Table:
        """All rows at once: as much memory as they take."""
        tables = list(self._tables)
        return pa.concat_tables(tables) if tables else self.schema.empty_table()
