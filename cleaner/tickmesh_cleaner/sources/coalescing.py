"""From what a source yields to the batches a job judges.

Batches of a file are its own, cut by the content alone. A source that has no end (`Source.live`)
yields whatever has come, and what came together is judged together: batches are merged until they
hold a few thousand records or the first of them has waited long enough, and while more lies there
already, up to the most a batch may hold. The merged batch is what the intent names, so it is not
cut anew after a crash.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tickmesh_cleaner.ahead import Ahead
from tickmesh_cleaner.domain.identity import MOST_RECORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tickmesh.decoding.decoded import DecodedBatch
    from tickmesh_cleaner.control import JobControl
    from tickmesh_cleaner.sources.source import Source, SourceBatch

ENOUGH_RECORDS = 4_096
"""From so many on a merged batch waits for nothing more."""

_MOST_BYTES = 8 * 1024 * 1024
_BATCHES_AHEAD = 2
_LIVE_BATCHES_AHEAD = 64
_LOOK_SECONDS = 0.1


def batches_of(
    source: Source, *, start: str | None, max_latency_seconds: float, control: JobControl
) -> Generator[SourceBatch, None, None]:
    """The batches of a source from a position to its end, decoded ahead.

    Args:
        source: The source.
        start: Where to begin; the beginning when None.
        max_latency_seconds: How long a record of a live source waits for others.
        control: Heard while nothing comes: the job's turn goes to others meanwhile.

    Raises:
        HaltedError: A pause or a cancel was asked for while nothing came.
        StoppedError: The process shuts down.
        CleanerError: The source cannot be read on.
    """
    depth = _LIVE_BATCHES_AHEAD if source.live else _BATCHES_AHEAD
    ahead = Ahead(source.read(start=start, end=None), depth=depth, name=f"read {source.name[:40]}")
    with closing(ahead):
        left: SourceBatch | None = None
        while True:
            first = left or _next(ahead, control)
            if first is None:
                return
            if not source.live:
                yield first
                continue
            together, left = _gathered(ahead, first, max_latency_seconds=max_latency_seconds)
            yield merged(together)


def merged(batches: Sequence[SourceBatch]) -> SourceBatch:
    """One batch of consecutive ones that share spec, file name and columns."""
    if len(batches) == 1:
        return batches[0]
    parts = [batch.decoded for batch in batches]
    columns = pa.Table.from_batches([part.columns for part in parts]).combine_chunks()
    whole = columns.to_batches()
    offsets: Any = pa.concat_arrays([part.offsets for part in parts])
    lines: Any = pa.concat_arrays([part.lines for part in parts])
    return replace(
        batches[0],
        end=batches[-1].end,
        decoded=replace(
            parts[0],
            end=parts[-1].end,
            record_count=sum(part.record_count for part in parts),
            columns=whole[0] if whole else parts[0].columns,
            offsets=offsets,
            lines=lines,
            rejects=tuple(reject for part in parts for reject in part.rejects),
            raw=_raw_of(parts),
        ),
    )


def _next(ahead: Ahead[SourceBatch], control: JobControl) -> SourceBatch | None:
    """The next batch, however long it takes; None at the end."""
    found = ahead.take(within_seconds=_LOOK_SECONDS)
    if found is None and not ahead.ended:
        with control.idle():
            while found is None and not ahead.ended:
                found = ahead.take(within_seconds=_LOOK_SECONDS)
                control.raise_if_asked()
    return found


def _gathered(
    ahead: Ahead[SourceBatch], first: SourceBatch, *, max_latency_seconds: float
) -> tuple[list[SourceBatch], SourceBatch | None]:
    """Batches to be merged, and one that came and does not fit."""
    together = [first]
    records, size = first.decoded.record_count, first.decoded.columns.nbytes
    deadline = time.monotonic() + max_latency_seconds
    while True:
        wait_seconds = 0.0 if records >= ENOUGH_RECORDS else deadline - time.monotonic()
        found = ahead.take(within_seconds=max(wait_seconds, 0.0))
        if found is None:
            return together, None
        records += found.decoded.record_count
        size += found.decoded.columns.nbytes
        if records > MOST_RECORDS or size > _MOST_BYTES or not _alike(first, found):
            return together, found
        together.append(found)


def _alike(first: SourceBatch, other: SourceBatch) -> bool:
    return (
        first.spec is other.spec
        and first.file_name == other.file_name
        and not (first.replayed or other.replayed)
        and first.decoded.columns.schema.equals(other.decoded.columns.schema)
    )


def _raw_of(parts: Sequence[DecodedBatch]) -> Callable[[Sequence[int]], list[bytes]]:
    starts = np.cumsum([0, *(part.columns.num_rows for part in parts)])

    def raw(indices: Sequence[int]) -> list[bytes]:
        wanted = np.asarray(indices, dtype=np.int64)
        found = [b""] * len(wanted)
        part_of = np.searchsorted(starts, wanted, side="right") - 1
        for number in np.unique(part_of).tolist():
            places = np.flatnonzero(part_of == number)
            rows = (wanted[places] - starts[number]).tolist()
            for place, bytes_of_row in zip(places.tolist(), parts[number].raw(rows), strict=True):
                found[place] = bytes_of_row
        return found

    return raw
