"""What a query answered, kept as numbered pages until its rows are cleaned.

A page is an Arrow file named by its first row and its number of rows, durable before it is read.
Row numbers go on from page to page, so that a position is a row's number however pages are cut.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from tickmesh_cleaner.durable_files import make_directories, publish

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PAGE_ROWS: Final = 32_768
"""Rows a page is cut to."""

_COMPLETE: Final = "complete.json"
_SUFFIX: Final = ".arrow"
_NOTE: Final = b"tickmesh.page"


@dataclass(frozen=True, slots=True, order=True)
class Page:
    """One file.

    Attributes:
        first: The number of its first row.
        rows: How many it has.
        path: Where it is.
    """

    first: int
    rows: int
    path: Path

    @property
    def end(self) -> int:
        """The number of the row after its last."""
        return self.first + self.rows

    def table(self) -> pa.Table:
        """Its rows, mapped into memory."""
        with pa.memory_map(str(self.path)) as file:
            return pa.ipc.open_file(file).read_all()

    def note(self) -> dict[str, Any]:
        """What was noted with it."""
        with pa.memory_map(str(self.path)) as file:
            metadata: Mapping[bytes, bytes] = pa.ipc.open_file(file).schema.metadata or {}
        found: dict[str, Any] = json.loads(metadata.get(_NOTE, b"{}"))
        return found


@dataclass(frozen=True, slots=True)
class WholeAnswer:
    """That the pages are all of an answer.

    Attributes:
        digest: Hexadecimal SHA-256 of its rows.
        size_bytes: Bytes of its pages.
    """

    digest: str
    size_bytes: int


class QueryPages:
    """The pages of one query below a directory. One thread appends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def pages(self) -> list[Page]:
        """All pages, in order."""
        found = []
        for path in self._directory.glob(f"*{_SUFFIX}"):
            first, _, rows = path.stem.partition("-")
            found.append(Page(int(first), int(rows), path))
        return sorted(found)

    @property
    def end(self) -> int:
        """The number of the row after the last that was ever appended."""
        pages = self.pages()
        return pages[-1].end if pages else 0

    def append(self, rows: pa.RecordBatch, *, note: Mapping[str, Any] | None = None) -> bytes:
        """Keep rows as the next page; they are durable on return, which is their digest."""
        make_directories(self._directory)
        text = json.dumps(note or {}).encode()
        schema = rows.schema.with_metadata({_NOTE: text})
        buffer = pa.BufferOutputStream()
        with pa.ipc.new_file(buffer, schema) as writer:
            writer.write_batch(rows.replace_schema_metadata(schema.metadata))
        content = memoryview(buffer.getvalue())
        publish(self._directory / f"{self.end:019d}-{rows.num_rows}{_SUFFIX}", content)
        return hashlib.sha256(content).digest()

    def read(self, row: int) -> Iterator[pa.RecordBatch]:
        """Rows from one on, in the batches they were kept in; columns of nulls take a type.

        Raises:
            pa.ArrowException: A column has values of one type here and of another there.
            OSError: A page is gone or damaged.
        """
        pages = [page for page in self.pages() if page.end > row]
        if not pages:
            return
        if pages[0].first > row:
            raise OSError(f"rows {row} to {pages[0].first} of the answer are gone")
        tables = (page.table() for page in pages)
        schema = pa.unify_schemas([page.table().schema.remove_metadata() for page in pages])
        for page, table in zip(pages, tables, strict=True):
            yield from table.slice(max(row - page.first, 0)).cast(schema).to_batches()

    def complete(self, digest: str) -> None:
        """Note that the pages are all of an answer."""
        make_directories(self._directory)
        size = sum(page.path.stat().st_size for page in self.pages())
        text = json.dumps({"digest": digest, "size_bytes": size})
        publish(self._directory / _COMPLETE, text.encode())

    @property
    def whole(self) -> WholeAnswer | None:
        """What `complete` noted; None before."""
        try:
            return WholeAnswer(**json.loads((self._directory / _COMPLETE).read_bytes()))
        except FileNotFoundError:
            return None

    def clear(self) -> None:
        """Forget everything."""
        shutil.rmtree(self._directory, ignore_errors=True)


def cut_to_pages(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of PAGE_ROWS, whatever the driver's were; at least one batch.

    Raises:
        pa.ArrowException: A column has values of one type here and of another there.
    """
    waiting: list[pa.RecordBatch] = []
    count = 0
    yielded = False
    for batch in batches:
        waiting.append(batch)
        count += batch.num_rows
        while count >= PAGE_ROWS:
            whole = _joined(waiting)
            yield whole.slice(0, PAGE_ROWS)
            yielded = True
            waiting, count = [whole.slice(PAGE_ROWS)], count - PAGE_ROWS
    if waiting and (count or not yielded):
        yield _joined(waiting)


def _joined(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    table = pa.concat_tables(
        [pa.Table.from_batches([part]) for part in parts], promote_options="default"
    ).combine_chunks()
    batches = table.to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
