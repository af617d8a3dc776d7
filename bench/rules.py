"""What each tick rule costs a row, beside the same rule as anybody would write it in polars."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from bench._measure import SECONDS, Target, at_most, medians, report, timed
from tickmesh.schema import parse_schema, project
from tickmesh_cleaner.rules import RuleSet, RuleState, compile_rules

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BENCH = "rules"
ROWS = 32_768
SYMBOLS = 100
_OPEN_NS = 1_710_163_800_000_000_000
"""2024-03-11 09:30 in New York."""

Compare = tuple[str, dict[str, object], dict[str, dict[str, object]], Target]

RULES: tuple[Compare, ...] = (
    ("session", {"x-tick-session": "XNYS"}, {}, at_most(10)),
    ("size", {}, {"price": {"x-tick-size": 0.01}}, at_most(20)),
    ("crossed", {"x-tick-crossed": True}, {}, at_most(20)),
    ("conditions", {}, {"condition": {"x-tick-conditions": "us-equity-sales"}}, at_most(30)),
    ("order", {"x-tick-order": True}, {}, at_most(50)),
    ("duplicates", {"x-tick-duplicates": {"by": ["symbol", "id"]}}, {}, at_most(200)),
    ("quote_bounds", {"x-tick-quote-bounds": True}, {}, at_most(50)),
    ("spread", {"x-tick-spread": True}, {}, at_most(100)),
    ("mid_deviation", {"x-tick-mid-deviation": True}, {}, at_most(500)),
    (
        "brownlees_gallo",
        {},
        {"price": {"x-tick-brownlees-gallo": {"granularity": 0.05}}},
        at_most(1_400),
    ),
)


def rules_of(
    row_rules: Mapping[str, object], fields: Mapping[str, Mapping[str, object]]
) -> tuple[RuleSet, pa.Schema]:
    """Compiled rules, and the columns of the rows."""
    price = {"type": "number", "arrow": "decimal128(18, 4)"}
    properties: dict[str, dict[str, object]] = {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"type": "string"},
        "price": dict(price),
        "bid": dict(price),
        "ask": dict(price),
        "condition": {"type": "string"},
        "id": {"type": "integer"},
    }
    for name, keywords in fields.items():
        properties[name] |= keywords
    text = json.dumps({"type": "object", "properties": properties, **row_rules})
    document = parse_schema(text)
    columns = project(document, subject="ticks.bench", version=1)
    return compile_rules(document, columns), columns


def ticks(columns: pa.Schema, batch: int, *, symbols: int) -> pa.RecordBatch:
    """One batch of a stream of rows that hold a quote and a trade each; a few are wild."""
    chance = np.random.default_rng(batch)
    mids = 1_000_000 + np.cumsum(chance.normal(0, 40, ROWS)).astype(np.int64) // 100 * 100
    mids[chance.integers(0, ROWS, ROWS // 1_000)] += 20_000
    half = chance.integers(1, 4, ROWS) * 100
    names = [f"SYM{number}" for number in range(symbols)]
    money = pa.decimal128(18, 4)

    def prices(units: Any) -> pa.Array[Any]:
        return pa.array([Decimal(unit).scaleb(-4) for unit in units.tolist()], money)

    return pa.RecordBatch.from_arrays(
        [
            pa.array(
                _OPEN_NS + (batch * ROWS + np.arange(ROWS)) * 10_000, pa.timestamp("ns", "UTC")
            ),
            pa.array([names[number] for number in chance.integers(0, symbols, ROWS).tolist()]),
            prices(mids),
            prices(mids - half),
            prices(mids + half),
            pa.array(
                [["@", "@  I", " F I", "@ T "][number] for number in chance.integers(0, 4, ROWS)]
            ),
            pa.array(batch * ROWS + np.arange(ROWS)),
        ],
        schema=columns,
    )


def in_polars(batch: pa.RecordBatch) -> dict[str, Callable[[], object]]:
    """Rules that polars has words for, without memory between batches."""
    frame = pl.DataFrame(batch)
    frame = frame.with_columns(pl.col("price", "bid", "ask").cast(pl.Float64))
    mid = (pl.col("bid") + pl.col("ask")) / 2
    spread = pl.col("ask") - pl.col("bid")
    median = mid.shift(1).rolling_median(50).over("symbol")
    usual = spread.shift(1).rolling_median(100).over("symbol")
    price = pl.col("price").shift(1)
    far = (pl.col("price") - price.rolling_mean(60)).abs() >= 3 * price.rolling_std(60) + 0.05
    words = {
        "order": pl.col("ts").diff().over("symbol") < pl.duration(nanoseconds=0),
        "duplicates": pl.struct("symbol", "id").is_duplicated(),
        "crossed": pl.col("bid") > pl.col("ask"),
        "spread": spread > 50 * usual,
        "mid_deviation": (mid - median).abs() > 10 * (mid - median).abs().rolling_mean(50),
        "brownlees_gallo": far.over("symbol"),
    }
    return {name: _selecting(frame, word) for name, word in words.items()}


def _selecting(frame: pl.DataFrame, word: pl.Expr) -> Callable[[], object]:
    return lambda: frame.select(word)


def measure_rule(compared: Compare, *, symbols: int, seconds: float) -> None:
    """One rule, with the memory of a batch before."""
    name, row_rules, fields, target = compared
    rules, columns = rules_of(row_rules, fields)
    first, batch = (ticks(columns, number, symbols=symbols) for number in range(2))
    before = rules.judge(first, RuleState()).after
    measures = {"ours": timed(lambda: rules.judge(batch, before))}
    other = in_polars(batch).get(name)
    if other is not None:
        measures["polars"] = timed(other)
    found = medians(measures, seconds=seconds)
    report(
        BENCH,
        f"{name}_{symbols}_symbols" + ("_over_polars" if other else ""),
        found["ours"] / ROWS * 1e9,
        "ns/row",
        baseline=found["polars"] / ROWS * 1e9 if other else None,
        target=target,
    )


def measure_state(*, symbols: int, seconds: float) -> None:
    """What the memory of all rules together costs a batch when it is written as text."""
    row_rules = {key: value for _, rules, _, _ in RULES for key, value in rules.items()}
    fields = {name: keywords for _, _, places, _ in RULES for name, keywords in places.items()}
    rules, columns = rules_of(row_rules, fields)
    after = rules.judge(ticks(columns, 0, symbols=symbols), RuleState()).after
    found = medians({"text": timed(after.to_text)}, seconds=seconds)
    report(BENCH, f"state_as_text_{symbols}_symbols", found["text"] / ROWS * 1e9, "ns/row")
    report(BENCH, f"state_size_{symbols}_symbols", len(after.to_text()) / 1024, "KiB")


def main() -> None:
    """Each rule in turn, for one symbol and for many."""
    seconds = SECONDS / 10
    for symbols in (1, SYMBOLS):
        for compared in RULES:
            measure_rule(compared, symbols=symbols, seconds=seconds)
        measure_state(symbols=symbols, seconds=seconds)


if __name__ == "__main__":
    main()
