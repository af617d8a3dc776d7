"""Cutting and joining record batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["join_batches", "sliced_to"]


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
