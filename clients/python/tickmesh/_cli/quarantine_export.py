"""Quarantined rows as files: Parquet, or JSON lines that people and tools read."""

from __future__ import annotations

import base64
import contextlib
import json
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

_INSTANTS = ("first_seen_at", "discarded_at")


def write_rows(reader: pa.RecordBatchReader, out: Path) -> int:
    """Write rows as they come to a .parquet or .jsonl file; returns how many.

    A file of this name appears, or is replaced, when all of them are there.

    Raises:
        click.BadParameter: The name ends otherwise.
    """
    write = {".parquet": _write_parquet, ".jsonl": _write_lines}.get(out.suffix)
    if write is None:
        raise click.BadParameter(f"expected a name ending in .parquet or .jsonl, was {out.name}")
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        rows = write(reader, unfinished)
        unfinished.replace(out)
    finally:
        with contextlib.suppress(FileNotFoundError):
            unfinished.unlink()
    return rows


def _write_parquet(reader: pa.RecordBatchReader, path: Path) -> int:
    from pyarrow import parquet

    rows = 0
    with parquet.ParquetWriter(path, reader.schema, compression="zstd") as writer:
        for batch in reader:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows


def _write_lines(reader: pa.RecordBatchReader, path: Path) -> int:
    rows = 0
    with path.open("w", encoding="utf-8") as file:
        for batch in reader:
            file.writelines(f"{line}\n" for line in _lines(batch))
            rows += batch.num_rows
    return rows


def _lines(batch: pa.RecordBatch) -> Iterator[str]:
    import pyarrow.compute as pc

    columns: dict[str, list[Any]] = {}
    for field, column in zip(batch.schema, batch.columns, strict=True):
        if field.name in _INSTANTS:
            texts = pc.strftime(column, format="%Y-%m-%dT%H:%M:%SZ")
            columns[field.name] = texts.to_pylist()
        else:
            columns[field.name] = column.to_pylist()
    for row in range(batch.num_rows):
        yield _line({name: values[row] for name, values in columns.items()})


def _line(row: Mapping[str, Any]) -> str:
    """One row; its document stands as it is, since a number read and written again may differ."""
    members = []
    for name, value in row.items():
        if name == "document":
            text = value or "null"
        elif name == "raw":
            text = _raw(value)
        else:
            text = json.dumps(value, ensure_ascii=False)
        members.append(f"{json.dumps(name)}: {text}")
    return "{" + ", ".join(members) + "}"


def _raw(raw: bytes) -> str:
    try:
        return json.dumps(raw.decode("utf-8"), ensure_ascii=False)
    except UnicodeDecodeError:
        return json.dumps({"base64": base64.b64encode(raw).decode("ascii")})
