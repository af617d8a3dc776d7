"""Rows on a terminal, as JSON lines, or in a file."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa
import pyarrow.compute as pc

from tickmesh._cli.output import print_aligned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyarrow import csv, parquet

FILE_ENDINGS = (".parquet", ".csv", ".arrow")
"""How names of files end that rows can be written to."""

_IDLE_DECIMALS = re.compile(r"(\.(?:[0-9]{3})*)000(?=Z?$)")


def row_lines(batch: pa.RecordBatch) -> Iterator[str]:
    """One JSON object a row; numbers and instants exactly as stored."""
    from tickmesh.schema.validation import row_documents

    for document in row_documents(batch):
        yield json.dumps(document, ensure_ascii=False, default=str)


def print_table(table: pa.Table) -> None:
    """Print every row of a small table in aligned columns."""
    if not table.num_rows:
        click.echo("no rows")
        return
    columns = [
        [name, *("-" if text is None else text for text in _texts(column))]
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    numbers = [
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        for kind in table.schema.types
    ]
    print_aligned([list(line) for line in zip(*columns, strict=True)], to_the_right=numbers)


def write_table(reader: pa.RecordBatchReader, out: Path) -> int:
    """Write batches as they come to a file of one of `FILE_ENDINGS`; returns the rows written.

    The file is there as a whole or not at all.

    Raises:
        OSError: It cannot be written; `filename` is `out`.
    """
    schema = reader.schema
    if out.suffix != ".parquet":  # the others cannot hold a dictionary that is replaced
        schema = pa.schema(
            field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
            for field in schema
        )
    partial = out.with_name(f".{out.name}.partial")
    rows = 0
    try:
        with _writer(partial, schema, ending=out.suffix) as writer:
            for batch in reader:
                fitting = batch if batch.schema.equals(schema) else batch.cast(schema)
                writer.write_batch(fitting)
                rows += batch.num_rows
        partial.replace(out)
    except OSError as error:
        if error.errno is None:
            raise
        # Arrow names its own step, or the file that nobody asked for.
        why = f"{os.strerror(error.errno)}; nothing is left of it: make room, or name another --out"
        raise OSError(error.errno, why, str(out)) from None
    finally:
        partial.unlink(missing_ok=True)
    return rows


def _writer(
    file: Path, schema: pa.Schema, *, ending: str
) -> parquet.ParquetWriter | csv.CSVWriter | pa.RecordBatchFileWriter:
    from pyarrow import csv, parquet

    if ending == ".parquet":
        return parquet.ParquetWriter(file, schema)
    if ending == ".csv":
        return csv.CSVWriter(str(file), schema)
    return pa.ipc.new_file(str(file), schema)


def _texts(column: pa.ChunkedArray[Any]) -> list[str | None]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_nested(column.type):
        return [None if value is None else str(value) for value in column.to_pylist()]
    texts: list[str | None] = pc.cast(column, pa.utf8()).to_pylist()
    if not pa.types.is_timestamp(column.type):
        return texts
    # As many decimals as one of the instants needs, in groups of three.
    for _ in range(3):
        if not all(text is None or _IDLE_DECIMALS.search(text) for text in texts):
            break
        texts = [None if text is None else _IDLE_DECIMALS.sub(r"\1", text) for text in texts]
    return [None if text is None else text.replace(".Z", "Z").removesuffix(".") for text in texts]
