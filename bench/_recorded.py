"""Recorded quotes as a dataset: schema and rows, where recordings lie beside the project."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

_REPOSITORY = Path(__file__).resolve().parents[1]
_QUOTES = "us_equity_aig_quotes_20131009.csv.gz"
_MIDNIGHT_NS = 1_381_291_200_000_000_000
"""2013-10-09 in New York, in UTC."""
_COLUMNS = ("ms", "bid", "bid_size", "ask", "ask_size", "exchange", "condition", "suspicious")

QUOTES_SCHEMA = json.dumps(
    {
        "type": "object",
        "properties": {
            "ts": {
                "type": "string",
                "format": "date-time",
                "x-tick-role": "event_time",
                "arrow": "timestamp[ns, UTC]",
            },
            "symbol": {"const": "AIG", "x-tick-role": "symbol"},
            "bid": {"type": "number", "minimum": 0},
            "bid_size": {"type": "integer", "minimum": 0},
            "ask": {"type": "number", "minimum": 0},
            "ask_size": {"type": "integer", "minimum": 0},
            "exchange": {"enum": list("ABCDJKMNPQTUWXYZ")},
            "condition": {"enum": ["1", "8", "800"]},
        },
        "required": [
            *("ts", "symbol", "bid", "bid_size", "ask", "ask_size", "exchange", "condition")
        ],
    }
)


def recorded_quotes() -> pa.Table | None:
    """Quotes of one stock of one day, one side a row; `None` where there is no recording."""
    root = os.environ.get("TICKMESH_SHARED")
    path = (Path(root) if root else _REPOSITORY.parent / "shared") / "market-data" / _QUOTES
    if not path.exists():
        return None
    texts = csv.ConvertOptions(column_types={"condition": pa.utf8(), "exchange": pa.utf8()})
    read = csv.read_csv(
        path, read_options=csv.ReadOptions(column_names=list(_COLUMNS)), convert_options=texts
    )
    times: Any = pc.add(pc.multiply(read["ms"], 1_000_000), _MIDNIGHT_NS)
    symbols = pa.DictionaryArray.from_arrays(
        pa.repeat(pa.scalar(0, pa.int32()), read.num_rows), pa.array(["AIG"])
    )
    columns: dict[str, Any] = {
        "ts": times.cast(pa.timestamp("ns", "UTC")),
        "symbol": symbols,
        "bid": pc.divide(read["bid"].cast(pa.float64()), 10_000.0),
        "bid_size": read["bid_size"],
        "ask": pc.divide(read["ask"].cast(pa.float64()), 10_000.0),
        "ask_size": read["ask_size"],
        "exchange": read["exchange"].dictionary_encode().unify_dictionaries(),
        "condition": read["condition"].dictionary_encode().unify_dictionaries(),
    }
    return pa.table(columns)
