"""Trades of the recorded files as Arrow tables with roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from tests.support.shared_data import shared_folder

if TYPE_CHECKING:
    from pathlib import Path

_ROLES = {"ts": "event_time", "symbol": "symbol", "price": "price", "size": "size"}
_EQUITY_MIDNIGHT_MS = 1_381_291_200_000
"""2013-10-09 00:00 in New York, ms since the epoch."""


def equity_trades() -> pa.Table:
    """AIG on 2013-10-09: prices as integers of 1/10,000 dollar; half share a millisecond."""
    path = _file("us_equity_aig_trades_20131009.csv.gz")
    names = ["ms", "price", "size", "exchange", "condition", "suspicious"]
    read = csv.read_csv(path, read_options=csv.ReadOptions(column_names=names))
    instants = pc.add(read["ms"], _EQUITY_MIDNIGHT_MS).cast(pa.timestamp("ms", "UTC"))
    return _with_roles(
        {
            "ts": instants.cast(pa.timestamp("ns", "UTC")),
            # A second column to group by, so that there are several groups.
            "symbol": read["exchange"].cast(pa.string()).dictionary_encode(),
            "price": read["price"].cast(pa.int64()),
            "size": read["size"].cast(pa.int64()),
        }
    )


def crypto_trades() -> pa.Table:
    """BTCUSDT on 2020-02-22: prices and amounts as doubles; nearly half share an instant."""
    read = csv.read_csv(_file("tardis_binance_futures_btcusdt_trades_20200222.csv"))
    instants = read["timestamp"].cast(pa.int64()).cast(pa.timestamp("us", "UTC"))
    return _with_roles(
        {
            "ts": instants.cast(pa.timestamp("ns", "UTC")),
            "symbol": read["side"].dictionary_encode(),
            "price": read["price"].cast(pa.float64()),
            "size": read["amount"].cast(pa.float64()),
        }
    )


def _file(name: str) -> Path:
    return shared_folder("market-data") / name


def _with_roles(columns: dict[str, Any]) -> pa.Table:
    table = pa.table(columns)
    fields = [field.with_metadata({"tickmesh.role": _ROLES[field.name]}) for field in table.schema]
    return table.cast(pa.schema(fields)).unify_dictionaries().combine_chunks()
