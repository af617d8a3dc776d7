"""Tick rules on recorded market data: the counts are taken again by looking row by row."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.support.decoding import EXAMPLES
from tests.support.shared_data import shared_folder
from tests.unit.cleaner.parts import StoppedClock, schema_version
from tickmesh_cleaner.judged import merge
from tickmesh_cleaner.judging import BatchJudge
from tickmesh_cleaner.sources.file import FileRecords
from tickmesh_cleaner.sources.layout import parse_spec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tickmesh_cleaner.judged import JudgedBatch

pytestmark = pytest.mark.real_data

AIG_TRADES = "us_equity_aig_trades_20131009.csv.gz"
AIG_QUOTES = "us_equity_aig_quotes_20131009.csv.gz"
TARDIS_QUOTES = "tardis_binance_futures_btcusdt_quotes_20200222.csv"
FX_QUOTES = "fx_eurusd_quotes_20200130_31.parquet"
OPENS_MS, CLOSES_MS = 34_200_000, 57_600_000


def clean(
    file: str, spec: str, *, rules: Mapping[str, object], **fields: Mapping[str, object]
) -> JudgedBatch:
    """The whole file, judged batch by batch with the state kept as text."""
    source_spec = parse_spec((EXAMPLES / f"{spec}.source.toml").read_text("utf-8"))
    assert source_spec.subject is not None
    schema = json.loads((EXAMPLES / f"{source_spec.subject}.schema.json").read_text("utf-8"))
    schema |= rules
    for name, keywords in fields.items():
        schema["properties"].setdefault(name, {}).update(keywords)
    registered = schema_version(json.dumps(schema), 1, subject=source_spec.subject)
    judge = BatchJudge(source_name=file, rule_set_fingerprint="r", engine="e", clock=StoppedClock())
    path = shared_folder("market-data") / file
    parts: list[JudgedBatch] = []
    for batch in FileRecords(path, spec=source_spec, name=file, file_name=file).read(
        start=None, end=None
    ):
        state = parts[-1].rule_state if parts else ""
        parts.append(judge.judge(batch, registered, rule_state=state))
    return merge(parts, registered)


def raw_rows(file: str) -> Iterator[list[str]]:
    with gzip.open(shared_folder("market-data") / file, "rt", encoding="ascii") as text:
        yield from csv.reader(text)


def test_a_day_of_trades_of_a_us_stock() -> None:
    flag = {"severity": "flag"}
    judged = clean(
        AIG_TRADES,
        "ticks.us_equity.trades",
        rules={
            "x-tick-session": {"calendar": "XNYS", **flag},
            "x-tick-order": True,
            "x-tick-duplicates": {"within_rows": 60_000, **flag},
        },
        price={"x-tick-size": {"tick": 0.05, **flag}},
    )
    rows = list(raw_rows(AIG_TRADES))
    counts = Counter(tuple(row) for row in rows)
    assert judged.balance.stored == judged.balance.rows_in == len(rows)
    assert judged.balance.flagged == {
        "TICK_SESSION": sum(not OPENS_MS <= int(row[0]) <= CLOSES_MS for row in rows),
        "TICK_DUPLICATE": sum(count - 1 for count in counts.values()),
        "TICK_SIZE": sum(int(row[1]) % 500 != 0 for row in rows),
    }
    assert judged.balance.flagged["TICK_DUPLICATE"] == 9_455
    assert judged.balance.flagged["TICK_SIZE"] > 0


def test_a_day_of_quotes_of_a_us_stock_outside_the_session_is_held_back() -> None:
    judged = clean(
        AIG_QUOTES,
        "ticks.us_equity.quotes",
        rules={"x-tick-session": "XNYS", "x-tick-order": True, "x-tick-crossed": True},
    )
    outside = sum(not OPENS_MS <= int(row[0]) <= CLOSES_MS for row in raw_rows(AIG_QUOTES))
    assert outside == 1_356
    assert judged.balance.quarantined == outside
    assert {reason.code for record in judged.records for reason in record.reasons} == {
        "TICK_SESSION"
    }


def test_quotes_of_a_future_agree_with_the_definitions_of_the_statistical_rules() -> None:
    judged = clean(
        TARDIS_QUOTES,
        "ticks.crypto.quotes.tardis",
        rules={
            "x-tick-crossed": {"locked": "reject"},
            "x-tick-order": True,
            "x-tick-spread": {"window": 50, "times": 20},
            "x-tick-mid-deviation": {"window": 50},
        },
        ask_price={"x-tick-size": 0.01, "x-tick-brownlees-gallo": {"granularity": 0.02}},
        flags={"type": "integer", "x-tick-flags": True},
    )
    assert not judged.records
    with (shared_folder("market-data") / TARDIS_QUOTES).open(encoding="ascii") as text:
        rows = list(csv.DictReader(text))
    # In units of the columns' last digit, so that sums and differences are exact.
    bid = np.array([int(Decimal(row["bid_price"]).scaleb(8)) for row in rows])
    ask = np.array([int(Decimal(row["ask_price"]).scaleb(8)) for row in rows])
    flags = np.asarray(judged.good.column("flags"))

    def before(values: Any, size: int) -> Any:
        return np.lib.stride_tricks.sliding_window_view(values, size)[:-1]

    spreads = (ask - bid) / 1e8
    wide = spreads[50:] > 20 * np.median(before(spreads, 50), axis=1)
    assert (np.flatnonzero(flags & 1 << 9) - 50).tolist() == np.flatnonzero(wide).tolist()

    mids = (ask + bid) / 2e8
    middles = np.median(before(mids, 50), axis=1)
    deviations = np.abs(before(mids, 50) - middles[:, np.newaxis]).mean(axis=1)
    far = np.abs(mids[50:] - middles) > 10 * deviations
    assert far.sum() > 10
    assert (np.flatnonzero(flags & 1 << 10) - 50).tolist() == np.flatnonzero(far).tolist()

    asks = ask / 1e8
    kept = np.sort(before(asks, 60), axis=1)[:, 3:-3]
    allowed = 3 * kept.std(axis=1, ddof=1) + 0.02
    lone = ~(np.abs(asks[60:] - kept.mean(axis=1)) < allowed)
    assert lone.sum() > 10
    assert (np.flatnonzero(flags & 1 << 11) - 60).tolist() == np.flatnonzero(lone).tolist()


def test_two_days_of_a_currency_pair() -> None:
    judged = clean(
        FX_QUOTES,
        "ticks.fx.quotes",
        rules={
            "x-tick-session": "FX",
            "x-tick-order": {"equal": "refuse"},
            "x-tick-crossed": {"locked": "reject"},
            "x-tick-duplicates": True,
        },
        bid_price={"x-tick-size": {"tick": 0.00001, "severity": "flag"}},
    )
    table = pq.read_table(shared_folder("market-data") / FX_QUOTES)
    between = sum(not bid.as_py().endswith("0") for bid in table["bid"])
    assert judged.balance.stored == judged.balance.rows_in == table.num_rows
    assert judged.balance.flagged == ({"TICK_SIZE": between} if between else {})
