"""The 29-byte ticks that every tick store benchmark puts: the same schema, the same rows."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa

SYMBOLS = tuple(f"S{number:02d}" for number in range(50))

SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "ts": {
                "type": "string",
                "format": "date-time",
                "x-tick-role": "event_time",
                "arrow": "timestamp[ns, UTC]",
            },
            "symbol": {"type": "string", "enum": list(SYMBOLS), "x-tick-role": "symbol"},
            "price": {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000},
            "size": {"type": "integer", "minimum": 0},
            "side": {"type": "integer", "enum": [-1, 0, 1], "arrow": "int8"},
        },
        "required": ["ts", "symbol", "price", "size", "side"],
    }
)

_ARROW = pa.schema(
    [
        pa.field("ts", pa.timestamp("ns", "UTC"), nullable=False),
        pa.field("symbol", pa.dictionary(pa.int32(), pa.utf8()), nullable=False),
        pa.field("price", pa.float64(), nullable=False),
        pa.field("size", pa.int64(), nullable=False),
        pa.field("side", pa.int8(), nullable=False),
    ]
)
_START_NS = 1_723_161_255_000_000_000


def tick_batch(rows: int, *, seed: int = 0) -> pa.RecordBatch:
    """Plausible ticks in time order."""
    random = np.random.default_rng(seed)
    times = _START_NS + seed * 1_000_000 + np.cumsum(random.integers(1, 2_000, rows))
    codes = random.integers(0, len(SYMBOLS), rows, dtype=np.int32)
    symbols = pa.DictionaryArray.from_arrays(codes, pa.array(SYMBOLS))
    return pa.RecordBatch.from_arrays(
        [
            pa.array(times).cast(pa.timestamp("ns", "UTC")),
            symbols,
            pa.array(np.round(100 + random.standard_normal(rows), 2)),
            pa.array(random.integers(1, 1_000, rows)),
            pa.array(random.integers(-1, 2, rows, dtype=np.int8)),
        ],
        schema=_ARROW,
    )


def sliced(batch: pa.RecordBatch, rows: int) -> list[pa.RecordBatch]:
    """Messages of `rows` rows each."""
    return [batch.slice(start, rows) for start in range(0, batch.num_rows, rows)]
