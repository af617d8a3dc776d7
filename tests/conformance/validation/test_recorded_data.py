"""Recorded market data: every row is decided in columns, as an independent validator decides it."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import jsonschema
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import csv

from tests.support.shared_data import shared_folder
from tickmesh.schema.validation import compile_schema, row_documents
from tickmesh.schema.validation.oracle import exact_loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

pytestmark = pytest.mark.real_data

PRICE = pa.decimal128(20, 8)
SAMPLED_ROWS = 1500
ROWS_AT_ONCE = 20_000


def equity_quotes(folder: Path) -> pa.Table:
    return headerless(
        folder / "us_equity_aig_quotes_20131009.csv.gz",
        ["ms", "bid", "bid_size", "ask", "ask_size", "exchange", "conditions", "suspicious"],
    )


def equity_trades(folder: Path) -> pa.Table:
    return headerless(
        folder / "us_equity_aig_trades_20131009.csv.gz",
        ["ms", "price", "size", "exchange", "conditions", "suspicious"],
    )


def headerless(path: Path, names: list[str]) -> pa.Table:
    text = {"exchange": pa.string(), "conditions": pa.string()}
    return csv.read_csv(
        path,
        read_options=csv.ReadOptions(column_names=names),
        convert_options=csv.ConvertOptions(
            column_types={name: text.get(name, pa.int64()) for name in names}
        ),
    )


def futures_quotes(folder: Path) -> pa.Table:
    names = ["ask_amount", "ask_price", "bid_price", "bid_amount"]
    return csv.read_csv(
        folder / "tardis_binance_futures_btcusdt_quotes_20200222.csv",
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, PRICE)),
    )


def futures_trades(folder: Path) -> pa.Table:
    return csv.read_csv(
        folder / "tardis_binance_futures_btcusdt_trades_20200222.csv",
        convert_options=csv.ConvertOptions(column_types={"price": PRICE, "amount": PRICE}),
    )


def currency_quotes(folder: Path) -> pa.Table:
    return pq.read_table(folder / "fx_eurusd_quotes_20200130_31.parquet")


def stream(folder: Path, kind: str) -> pa.Table:
    path = folder / "binance_usdm_btcusdt_stream_20240808.log.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        messages = (json.loads(line.split(" ", 1)[1]) for line in lines)
        rows = [message["data"] for message in messages if kind in message.get("stream", "")]
    return pa.Table.from_pylist(rows)


DECIMAL_TEXT = {"type": "string", "pattern": "^[0-9]+\\.[0-9]{1,3}$"}

FILES: dict[str, tuple[Callable[[Path], pa.Table], Mapping[str, Any]]] = {
    "equity quotes": (
        equity_quotes,
        {
            "required": ["ms", "bid", "ask", "exchange"],
            "properties": {
                "ms": {"type": "integer", "minimum": 0, "maximum": 71_000_000},
                "bid": {"type": "integer", "minimum": 0, "multipleOf": 100, "maximum": 484_800},
                "ask": {"type": "integer", "minimum": 0, "multipleOf": 100},
                "exchange": {"enum": ["P", "Q", "N", "Z", "B", "K", "Y", "J", "X", "T"]},
                "conditions": {"type": "string", "pattern": "^[0-9a-f]{1,8}$"},
                "suspicious": {"enum": [0, 1]},
            },
            "oneOf": [
                {"properties": {"bid": {"const": 0}, "bid_size": {"const": 0}}},
                {"properties": {"ask": {"const": 0}, "ask_size": {"const": 0}}},
            ],
            "additionalProperties": False,
            "patternProperties": {"_size$": {"type": "integer", "multipleOf": 100}},
        },
    ),
    "equity trades": (
        equity_trades,
        {
            "properties": {
                "price": {"type": "integer", "exclusiveMinimum": 0},
                "size": {"anyOf": [{"multipleOf": 100}, {"maximum": 99}]},
                "exchange": {"type": "string", "minLength": 1, "maxLength": 1},
                "conditions": {"pattern": "^(1|2000|20000020)$"},
            },
            "if": {"properties": {"exchange": {"const": "D"}}},
            "then": {"properties": {"size": {"maximum": 50_000}}},
        },
    ),
    "futures quotes": (
        futures_quotes,
        {
            "required": ["exchange", "symbol", "timestamp", "ask_price", "bid_price"],
            "properties": {
                "exchange": {"const": "binance-futures"},
                "symbol": {"type": "string", "pattern": "^[A-Z0-9]{5,12}$"},
                "timestamp": {"type": "integer", "multipleOf": 1000},
                "local_timestamp": {"type": "integer", "minimum": 0},
                "ask_price": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
                "bid_price": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.02},
            },
        },
    ),
    "futures trades": (
        futures_trades,
        {
            "required": ["exchange", "symbol", "timestamp", "id", "side", "price", "amount"],
            "properties": {
                "exchange": {"const": "binance-futures"},
                "symbol": {"type": "string", "pattern": "^[A-Z0-9]{5,12}$"},
                "timestamp": {"type": "integer", "minimum": 1_582_329_600_000_000},
                "local_timestamp": {"type": "integer", "minimum": 0},
                "id": {"type": "integer", "minimum": 1, "maximum": 42_380_000},
                "side": {"enum": ["buy", "sell"]},
                "price": {"type": "number", "exclusiveMinimum": 0, "multipleOf": 0.01},
                "amount": {"type": "number", "multipleOf": 0.001, "maximum": 5},
            },
            "additionalProperties": False,
        },
    ),
    "currency quotes": (
        currency_quotes,
        {
            "required": ["bid", "ask", "ts_event"],
            "properties": {
                "bid": {"type": "string", "pattern": "^1\\.10[0-9]{4}$"},
                "ask": {"type": "string", "maxLength": 8},
                "ts_event": {"type": "integer", "multipleOf": 2_000_000},
                "ts_init": {"type": "integer", "exclusiveMaximum": 1_580_489_996_198_000_000},
            },
        },
    ),
    "stream, quotes": (
        lambda folder: stream(folder, "bookTicker"),
        {
            "required": ["e", "s", "b", "a", "u"],
            "properties": {
                "e": {"const": "bookTicker"},
                "s": {"pattern": "^[A-Z]+$"},
                **dict.fromkeys("bBaA", DECIMAL_TEXT),
                "u": {"type": "integer", "minimum": 5_123_107_900_000},
            },
        },
    ),
    "stream, trades": (
        lambda folder: stream(folder, "@trade"),
        {
            "required": ["t", "p", "q", "m"],
            "properties": {
                "t": {"type": "integer"},
                "p": DECIMAL_TEXT,
                "q": {"type": "string", "pattern": "^0\\.[0-9]{3}$"},
                "m": {"type": "boolean"},
                "X": {"enum": ["MARKET", "INSURANCE_FUND"]},
            },
        },
    ),
    "stream, books": (
        lambda folder: stream(folder, "@depth"),
        {
            "required": ["b", "a"],
            "properties": {
                "U": {"type": "integer"},
                "b": {"$ref": "#/$defs/side", "maxItems": 40},
                "a": {"$ref": "#/$defs/side", "minItems": 1},
            },
            "$defs": {
                "side": {
                    "type": "array",
                    "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": DECIMAL_TEXT},
                }
            },
        },
    ),
}


def judged(schema: Mapping[str, Any], table: pa.Table) -> list[bool]:
    """The verdicts on columns, which need no help and have a reason for each bad row."""
    verdicts = compile_schema(schema, table.schema).check(table)
    assert verdicts.oracle_rows == 0
    found: list[Any] = verdicts.good.to_pylist()
    assert [word == 0 for word in verdicts.reason_mask.to_pylist()] == found
    assert 0 < found.count(False) < len(found)
    return found


def agree(schema: Mapping[str, Any], table: pa.Table, rows: list[int], found: list[bool]) -> None:
    # Numbers are compared as decimals: on binary floats python-jsonschema misjudges multipleOf.
    exact = exact_loads(json.dumps(schema))
    validator = jsonschema.Draft202012Validator(exact)
    for start in range(0, len(rows), ROWS_AT_ONCE):
        chunk = rows[start : start + ROWS_AT_ONCE]
        documents = row_documents(table, chunk)
        expected = [validator.is_valid(document) for document in documents]
        assert [found[row] for row in chunk] == expected


@pytest.mark.parametrize("name", FILES)
def test_a_sample_of_each_file_is_judged_as_python_jsonschema_does(name: str) -> None:
    read, schema = FILES[name]
    table = read(shared_folder("market-data"))
    found = judged(schema, table)
    bad = [row for row, good in enumerate(found) if not good]
    step = max(1, len(found) // SAMPLED_ROWS)
    rows = {*range(0, len(found), step), *bad[:: max(1, len(bad) // SAMPLED_ROWS)]}
    agree(schema, table, sorted(rows), found)


@pytest.mark.long
@pytest.mark.parametrize("name", FILES)
def test_every_row_of_each_file_is_judged_as_python_jsonschema_does(name: str) -> None:
    read, schema = FILES[name]
    table = read(shared_folder("market-data"))
    agree(schema, table, list(range(table.num_rows)), judged(schema, table))
