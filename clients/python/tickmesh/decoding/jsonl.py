"""JSON lines, alone or behind a log prefix, to one column of JSON texts.

Lines are only cut here. The JSON itself is read where it is known which values are wanted as what
(``tickmesh.decoding.json_columns``): read without that, a number would already be rounded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tickmesh.decoding.arrow import int64_array, pc
from tickmesh.decoding.decoded import DecodedBatch, Position
from tickmesh.decoding.framing import Frame, frames

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh.decoding.source_spec import Prefix

JSON_COLUMN = "json"


def prefix_path(name: str) -> str:
    """The path under which a part of the prefix is reached."""
    return f"prefix.{name}"


def decode(
    content: Iterator[bytes],
    *,
    prefix: Prefix | None,
    start: Position,
    end: Position | None,
    batch_records: int,
) -> Iterator[DecodedBatch]:
    """Yield batches with the columns ``json`` and ``prefix.NAME`` …; see ``open_decoder``."""
    for frame in frames(content, start=start, end=end, batch_records=batch_records):
        kept = frame
        if prefix is None:
            columns = pa.RecordBatch.from_arrays([_texts(frame)], names=[JSON_COLUMN])
        else:
            columns, kept = _split(frame, prefix)
        yield DecodedBatch(
            start=kept.start,
            end=kept.end,
            record_count=len(kept) + len(kept.rejects),
            columns=columns,
            offsets=int64_array(kept.offsets),
            lines=int64_array(kept.lines),
            rejects=kept.rejects,
            raw=kept.raw,
        )


def _texts(frame: Frame) -> pa.StringArray:
    """The records as strings over the frame's own bytes; line ends stay, as JSON white space."""
    data, bounds = frame.data, frame.bounds.astype(np.int32)
    if not data.endswith(b"\n"):
        data += b"\n"
        bounds[-1] = len(data)
    return pa.StringArray.from_buffers(len(frame), pa.py_buffer(bounds.data), pa.py_buffer(data))


def _split(frame: Frame, prefix: Prefix) -> tuple[pa.RecordBatch, Frame]:
    """Split each line at the first separators; lines that have too few of them are rejected."""
    count = len(prefix.names)
    names = [JSON_COLUMN, *map(prefix_path, prefix.names)]
    parts = pc.split_pattern(_texts(frame), pattern=prefix.separator, max_splits=count)
    lengths = pc.list_value_length(parts)
    whole = pc.equal(lengths, count + 1)
    if not pc.all(whole, min_count=0).as_py():
        message = (
            f"expected {count} part(s), each followed by {prefix.separator!r}, before the JSON"
        )
        broken = pc.indices_nonzero(pc.invert(whole)).to_pylist()
        frame = frame.without([(index, "PREFIX", message) for index in broken])
        parts = parts.filter(whole)
    values = parts.flatten()
    step = count + 1
    places = int64_array(np.arange(0, len(values), step, dtype=np.int64))
    columns = [values.take(pc.add(places, part)) for part in (count, *range(count))]
    return pa.RecordBatch.from_arrays(columns, names=names), frame
