"""Cutting and joining record batches, one at a time or as they come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["join_batches", "joined", "limited", "sliced_to", "tables"]

_SMALL_ROWS = 8_192
_JOINED_ROWS = 65_536


def join_batches(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    """One batch of several with the same schema; differing dictionaries are united."""
    if len(batches) == 1:
        return batches[0]
    joined: pa.RecordBatch = pa.concat_batches(batches)  # type: ignore[attr-defined]  # not in the stubs
    return joined


def sliced_to(batch: pa.RecordBatch, most_bytes: int) -> Iterator[pa.RecordBatch]:
    """A batch in slices that are not larger than they may be; one row is never split."""
    if batch.num_rows <= 1 or pa.ipc.get_record_batch_size(batch) <= most_bytes:
        yield batch
        return
    half = batch.num_rows // 2
    yield from sliced_to(batch.slice(0, half), most_bytes)
    yield from sliced_to(batch.slice(half), most_bytes)


def joined(batches: Iterable[pa.RecordBatch], *, most_bytes: int) -> Iterator[pa.RecordBatch]:
    """Batches of one schema with small neighbours copied together and large ones cut.

    None is empty, so that few batches are sent and none is larger than it may be.
    """
    small: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        if small and (batch.num_rows >= _SMALL_ROWS or rows + batch.num_rows > _JOINED_ROWS):
            yield from sliced_to(join_batches(small), most_bytes)
            small, rows = [], 0
        if batch.num_rows >= _SMALL_ROWS:
            yield from sliced_to(batch, most_bytes)
        elif batch.num_rows:
            small.append(batch)
            rows += batch.num_rows
    if small:
        yield from sliced_to(join_batches(small), most_bytes)


def limited(batches: Iterable[pa.RecordBatch], limit: int | None) -> Iterator[pa.RecordBatch]:
    """The first `limit` rows; nothing behind them is asked for."""
    if limit is None:
        yield from batches
        return
    left = limit
    if left <= 0:
        return
    for batch in batches:
        yield batch.slice(0, left)
        left -= batch.num_rows
        if left <= 0:
            return


def tables(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, *, about_bytes: int
) -> Iterator[pa.Table]:
    """Batches as tables of about so many bytes, made as they are asked for."""
    group: list[pa.RecordBatch] = []
    size = 0
    for batch in batches:
        group.append(batch)
        size += pa.ipc.get_record_batch_size(batch)
        if size >= about_bytes:
            yield pa.Table.from_batches(group, schema)
            group, size = [], 0
    if group:
        yield pa.Table.from_batches(group, schema)
