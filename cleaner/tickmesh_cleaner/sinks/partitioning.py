"""Cuts a batch into the partitions of a dataset, hive style; the order of rows is kept in each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.compute

from tickmesh_cleaner.domain.errors import InvalidSinkError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MOST_PARTITIONS = 1024
"""Most partitions, and so most files, of one batch."""

_MOST_LEVELS = 8
_LONGEST_VALUE = 200
_NULL = "__HIVE_DEFAULT_PARTITION__"
_DAY = "_day"

# The stubs know neither plain Python operands nor some kernels, so kernels are called untyped.
pc: Any = pyarrow.compute


@dataclass(frozen=True, slots=True)
class Partition:
    """Some rows of a batch and the directory they belong to, relative to the dataset."""

    directory: PurePosixPath
    rows: pa.RecordBatch


class Partitioning:
    """How a dataset is partitioned.

    A time column makes directories `COLUMN_day=2026-01-31` by its UTC day and stays in the files.
    Any other column makes directories `COLUMN=value` and is not repeated in the files.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        """Name the columns, outermost first.

        Raises:
            InvalidSinkError: They are too many, or one is named twice.
        """
        if len(columns) > _MOST_LEVELS:
            raise InvalidSinkError(
                f"at most {_MOST_LEVELS} columns to partition by, were {len(columns)}"
            )
        if len(set(columns)) < len(columns):
            raise InvalidSinkError("a column to partition by is named twice")
        self.columns = tuple(columns)

    def check(self, schema: pa.Schema) -> None:
        """Refuse a schema whose rows cannot be partitioned so.

        Raises:
            InvalidSinkError: A column is missing, or its type makes no directories.
        """
        for name in self.columns:
            if name not in schema.names:
                raise InvalidSinkError(
                    f"the rows have no column {name!r} to partition by; they have "
                    f"{', '.join(schema.names)}",
                    column=name,
                )
            if name.startswith(("_", ".")):
                raise InvalidSinkError(
                    f"readers pass over directories that begin like {name!r}; partition by another "
                    "column",
                    column=name,
                )
            kind = schema.field(name).type
            if _is_time(kind) and name + _DAY in schema.names:
                raise InvalidSinkError(
                    f"the day of {name!r} would make directories named {name + _DAY!r}, like "
                    "another column",
                    column=name,
                )
            if not (_is_time(kind) or _makes_directories(kind)):
                raise InvalidSinkError(
                    f"column {name!r} is {kind}; partition by texts, whole numbers, booleans, "
                    "dates or times",
                    column=name,
                )

    def file_schema(self, schema: pa.Schema) -> pa.Schema:
        """The columns a file holds of rows of this schema."""
        kept = [field for field in schema if _is_time(field.type) or field.name not in self.columns]
        return pa.schema(kept, metadata=schema.metadata)

    def partitions(self, batch: pa.RecordBatch) -> Iterator[Partition]:
        """The rows of a batch by partition, in order of their first rows.

        Raises:
            InvalidSinkError: There are more than MOST_PARTITIONS, or a value is too long for the
                name of a directory.
        """
        columns = self.file_schema(batch.schema).names
        if not self.columns or not batch.num_rows:
            if batch.num_rows:
                yield Partition(PurePosixPath(), batch.select(columns))
            return
        keys = [self._key(batch, name) for name in self.columns]
        groups = np.zeros(batch.num_rows, dtype=np.int64)
        for key in keys:
            # Numbered afresh at each level, so that the product never exceeds rows squared.
            values = pc.fill_null(key.indices, -1).to_numpy() + 1
            groups = groups * (len(key.dictionary) + 1) + values
            groups = np.unique(groups, return_inverse=True)[1]
        order = np.argsort(groups, kind="stable")
        starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
        if len(starts) > MOST_PARTITIONS:
            raise InvalidSinkError(
                f"a batch of {batch.num_rows} rows falls into {len(starts)} partitions, at most "
                f"{MOST_PARTITIONS} are made; partition by columns with fewer values",
                partitions=str(len(starts)),
            )
        rows = batch.select(columns)
        runs = np.split(order, starts[1:])
        for indices in sorted(runs, key=lambda run: int(run[0])):
            directory = PurePosixPath(
                *(
                    f"{_directory_key(batch, name)}={_text(key, int(indices[0]), name)}"
                    for name, key in zip(self.columns, keys, strict=True)
                )
            )
            yield Partition(directory, rows.take(pa.array(indices)))

    @staticmethod
    def _key(batch: pa.RecordBatch, name: str) -> Any:
        column = batch.column(name)
        if pa.types.is_timestamp(column.type):
            column = column.cast(pa.timestamp(column.type.unit, "UTC")).cast(pa.date32())
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        return column.dictionary_encode()


def _directory_key(batch: pa.RecordBatch, name: str) -> str:
    day = _DAY if _is_time(batch.schema.field(name).type) else ""
    return quote(name + day, safe="")


def _text(key: Any, row: int, name: str) -> str:
    value = key[row].as_py()
    if value is None:
        return _NULL
    text = str(value).lower() if isinstance(value, bool) else str(value)
    quoted = quote(text, safe="")
    if len(quoted) > _LONGEST_VALUE:
        raise InvalidSinkError(
            f"a value of {name!r} makes a directory's name of {len(quoted)} characters, at most "
            f"{_LONGEST_VALUE} are taken",
            column=name,
        )
    return quoted


def _is_time(kind: pa.DataType) -> bool:
    return pa.types.is_timestamp(kind)


def _makes_directories(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return (
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_date(kind)
    )
