"""From what a source yields to the batches a job judges.

Batches of a file are its own, cut by the content alone. A live source yields whatever has come, and
what came together is judged together: batches are merged until they hold a few thousand records or
the first of them has waited long enough, and while more lies there already, up to the most a batch
may hold. The merged batch is what the intent names, so it is not cut anew after a crash.
"""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow as pa

from tickmesh_cleaner.ahead import Ahead
from tickmesh_cleaner.domain.identity import MOST_RECORDS
from tickmesh_cleaner.sources.source import LiveSource, Quiet, SourceBatch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tickmesh.decoding.decoded import DecodedBatch
    from tickmesh_cleaner.control import JobControl
    from tickmesh_cleaner.sources.source import Source

Item = TypeVar("Item")

ENOUGH_RECORDS = 4_096
"""From so many on a merged batch waits for nothing more."""

_MOST_BYTES = 8 * 1024 * 1024
_BATCHES_AHEAD = 2
_LIVE_BATCHES_AHEAD = 8
_LOOK_SECONDS = 0.1
_BRIEF_SECONDS = 0.02


def batches_of(
    source: Source,
    *,
    start: str | None,
    max_latency_seconds: float,
    control: JobControl,
    quiet: Callable[[str], None],
) -> Generator[SourceBatch, None, None]:
    """The batches of a source from a position on, decoded ahead.

    Args:
        source: The source; a live one is followed.
        start: Where to begin; the beginning when None.
        max_latency_seconds: How long a record of a live source waits for others.
        control: Heard while nothing comes: the job's turn goes to others meanwhile.
        quiet: Told why nothing comes, if something is wrong; told nothing once something came.

    Raises:
        HaltedError: A pause or a cancel was asked for while nothing came.
        StoppedError: The process shuts down.
        CleanerError: The source cannot be read on.
    """
    name = f"read {source.name[:40]}"
    if isinstance(source, LiveSource):
        live = Ahead(source.follow(start=start), depth=_LIVE_BATCHES_AHEAD, name=name)
        with closing(live):
            yield from _gathered(live, max_latency_seconds, control, quiet)
        return
    ahead = Ahead(source.read(start=start, end=None), depth=_BATCHES_AHEAD, name=name)
    with closing(ahead):
        while (batch := _next(ahead, control)) is not None:
            yield batch


def _gathered(
    ahead: Ahead[SourceBatch | Quiet],
    max_latency_seconds: float,
    control: JobControl,
    quiet: Callable[[str], None],
) -> Generator[SourceBatch, None, None]:
    found = _next(ahead, control)
    while found is not None:
        control.raise_if_asked()
        if isinstance(found, Quiet):
            quiet(found.message)
            found = _next(ahead, control)
            continue
        quiet("")
        together, found = _together(ahead, found, max_latency_seconds=max_latency_seconds)
        yield merged(together)
        found = found or _next(ahead, control)


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


def _next(ahead: Ahead[Item], control: JobControl) -> Item | None:
    """The next item, however long it takes; None at the end."""
    found = ahead.take(within_seconds=_LOOK_SECONDS)
    if found is None and not ahead.ended:
        with control.idle():
            while found is None and not ahead.ended:
                found = ahead.take(within_seconds=_LOOK_SECONDS)
                control.raise_if_asked()
    return found


def _together(
    ahead: Ahead[SourceBatch | Quiet], first: SourceBatch, *, max_latency_seconds: float
) -> tuple[list[SourceBatch], SourceBatch | Quiet | None]:
    """Batches to be merged, and what came after them, if it was taken already."""
    together = [first]
    records, size = first.decoded.record_count, first.decoded.columns.nbytes
    deadline = time.monotonic() + max_latency_seconds
    while True:
        wait_seconds = 0.0 if records >= ENOUGH_RECORDS else deadline - time.monotonic()
        found = ahead.more(within_seconds=max(wait_seconds, 0.0))
        if not isinstance(found, SourceBatch):
            return together, found
        records += found.decoded.record_count
        size += found.decoded.columns.nbytes
        if records > MOST_RECORDS or size > _MOST_BYTES or not _alike(first, found):
            return together, found
        together.append(found)


def _alike(first: SourceBatch, other: SourceBatch) -> bool:
    return (
        first.spec == other.spec
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
