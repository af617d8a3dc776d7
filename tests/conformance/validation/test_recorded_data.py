"""Recorded market data: every row is decided in columns, as the row oracle decides it."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from tests.support.shared_data import shared_folder
from tickmesh.schema.validation import compile_schema, row_documents

pytestmark = pytest.mark.real_data

TRADES = {
    "type": "object",
    "required": ["exchange", "symbol", "timestamp", "id", "side", "price", "amount"],
    "properties": {
        "exchange": {"const": "binance-futures"},
        "symbol": {"type": "string", "pattern": "^[A-Z0-9]{5,12}$"},
        "timestamp": {"type": "integer", "minimum": 1582329600000000},
        "local_timestamp": {"type": "integer", "minimum": 0},
        "id": {"type": "integer", "minimum": 1, "maximum": 42380000},
        "side": {"enum": ["buy", "sell"]},
        "price": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
        "amount": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.001, "maximum": 5},
    },
    "additionalProperties": False,
}
QUOTES = {
    "type": "object",
    "required": ["bid", "ask", "ts_event"],
    "properties": {
        "bid": {"type": "string", "pattern": r"^1\.10[0-9]{4}$"},
        "ask": {"type": "string", "maxLength": 8},
        "ts_event": {"type": "integer", "multipleOf": 2000000},
        "ts_init": {"type": "integer", "exclusiveMaximum": 1580489996198000000},
    },
}


def judged(schema: Any, table: pa.Table) -> list[bool]:
    """The verdicts on columns, which must be the oracle's and need no help from it."""
    verdicts = compile_schema(schema, table.schema).check(table)
    oracle = jsonschema_rs.Draft202012Validator(schema)
    assert verdicts.oracle_rows == 0
    found: list[Any] = verdicts.good.to_pylist()
    assert found == [oracle.is_valid(document) for document in row_documents(table)]
    assert [word == 0 for word in verdicts.reason_mask.to_pylist()] == found
    return found


def test_recorded_trades() -> None:
    path = shared_folder("market-data") / "tardis_binance_futures_btcusdt_trades_20200222.csv"
    good = judged(TRADES, csv.read_csv(path))
    assert 0 < good.count(False) < len(good)


def test_recorded_quotes() -> None:
    path = shared_folder("market-data") / "fx_eurusd_quotes_20200130_31.parquet"
    good = judged(QUOTES, pq.read_table(path).slice(0, 20_000))
    assert 0 < good.count(False) < len(good)
