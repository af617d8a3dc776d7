"""Records that come one by one, decoded together as long as they do not disturb each other."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh.decoding.decoded import DecodedBatch, DecodeError, Position, RecordReject
from tickmesh.decoding.opening import open_decoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.decoding.source_spec import SourceSpec


def decode_together(raws: Sequence[bytes], spec: SourceSpec) -> DecodedBatch | None:
    """The records as one batch, as if they stood in one file, a line each.

    A single record always comes out: as rows, or as a reject.

    Args:
        raws: The records' bytes.
        spec: How they are decoded: no header, no packing.

    Returns:
        The batch, its offsets counted in that file; None where several records do not come out one
        for one, since one of them breaks the framing of its neighbours.
    """
    try:
        batches = list(open_decoder(io.BytesIO(b"".join(raw + b"\n" for raw in raws)), spec))
    except DecodeError as error:
        return rejected(raws[0], error.code, error.message) if len(raws) == 1 else None
    if len(raws) == 1:
        if len(batches) == 1:
            return batches[0]
        return rejected(raws[0], "RECORD_TOO_LONG", "the record holds more than fits one batch")
    if len(batches) != 1:
        return None
    found = [
        *batches[0].offsets.to_numpy(zero_copy_only=False).tolist(),
        *(reject.offset for reject in batches[0].rejects),
    ]
    return batches[0] if sorted(found) == places_of(raws) else None


def places_of(raws: Sequence[bytes]) -> list[int]:
    """Where each record begins in the file that `decode_together` reads."""
    places = [0]
    for raw in raws[:-1]:
        places.append(places[-1] + len(raw) + 1)
    return places


def rejected(raw: bytes, code: str, message: str) -> DecodedBatch:
    """A batch of one record that cannot be decoded even alone."""
    nothing = pa.array([], pa.int64())
    return DecodedBatch(
        start=Position(),
        end=Position(offset=len(raw), line=2, record=1),
        record_count=1,
        columns=pa.RecordBatch.from_pydict({}),
        offsets=nothing,
        lines=nothing,
        rejects=(RecordReject(offset=0, line=1, raw=raw, code=code, message=message),),
        raw=lambda _indices: [],
    )
