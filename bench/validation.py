"""Validation on columns beside hand-written kernels, jsonschema-rs, pandera and polars.

All in this process, in turns, to the same answer: which rows are bad and by which rules.
"""

from __future__ import annotations

import json
import random
import time
from typing import TYPE_CHECKING, Any

import jsonschema_rs
import pyarrow as pa
import pyarrow.compute as pc

from bench._dataframe_baselines import pandera_frames, polars_expressions
from bench._measure import (
    SECONDS,
    at_most,
    medians,
    ratio_at_least,
    ratio_at_most,
    report,
    timed,
)
from tickmesh.schema.validation import compile_schema, row_documents

if TYPE_CHECKING:
    from collections.abc import Callable

BENCH = "validation"
_LOOKUPS = 20_000
_ROWS_A_LAP = 20_000

SCHEMA = {
    "type": "object",
    "required": ["ts"],
    "properties": {
        "symbol": {"type": "string", "pattern": "^[A-Z.]{1,6}$"},
        "venue": {"enum": ["XNYS", "XNAS", "ARCX", "BATS", "EDGX", "IEXG"]},
        "price": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1_000_000,
            "multipleOf": 0.01,
        },
        "size": {"type": "integer", "minimum": 1},
        "side": {"enum": ["B", "S"]},
        "trade_id": {"type": "string", "pattern": "^T[0-9]{10}$"},
        "ts": {"type": "integer", "minimum": 0},
        "cond": {"type": "string", "maxLength": 8},
    },
}
VENUES = ["XNYS", "XNAS", "ARCX", "BATS", "EDGX", "IEXG"]
SYMBOLS = ["".join(letters) for letters in zip("ABCDEFGH", "KLMNOPQR", "STUVWXYZ", strict=True)]
BAD: list[tuple[str, Any]] = [
    ("symbol", "toolong7"), ("venue", "NOPE"), ("price", 0.0), ("price", 2e6), ("price", 1.005),
    ("size", 0), ("side", "X"), ("trade_id", "T12"), ("ts", None), ("ts", -1), ("cond", "x" * 9),
]  # fmt: skip


def batch(rows: int, bad_share: float, *, seed: int = 7) -> pa.RecordBatch:
    """Trades; a share of the rows breaks one rule each, all rules in turn."""
    chance = random.Random(seed)
    columns: dict[str, list[Any]] = {
        "symbol": [chance.choice(SYMBOLS) for _ in range(rows)],
        "venue": [chance.choice(VENUES) for _ in range(rows)],
        "price": [chance.randrange(1, 50_000_000) / 100 for _ in range(rows)],
        "size": [chance.randrange(1, 10_000) for _ in range(rows)],
        "side": [chance.choice("BS") for _ in range(rows)],
        "trade_id": [f"T{index:010d}" for index in range(rows)],
        "ts": [1_700_000_000_000_000_000 + index * 1_000_003 for index in range(rows)],
        "cond": [chance.choice(["", "@", "@ TI", "F"]) for _ in range(rows)],
    }
    for count, row in enumerate(chance.sample(range(rows), round(rows * bad_share))):
        name, value = BAD[count % len(BAD)]
        columns[name][row] = value
    return pa.record_batch(columns)


def by_hand(trades: pa.RecordBatch) -> tuple[Any, Any]:
    """The same checks as anybody would write them in pyarrow.compute, with a reason mask."""
    # The stubs know no plain Python numbers as operands.
    kernels: Any = pc
    column = trades.column
    price, steps = column("price"), kernels.multiply(column("price"), 100.0)
    checks = [
        kernels.match_substring_regex(column("symbol"), "^[A-Z.]{1,6}$"),
        kernels.is_in(column("venue"), value_set=pa.array(VENUES)),
        kernels.greater(price, 0.0),
        kernels.less_equal(price, 1e6),
        kernels.equal(kernels.divide(kernels.round(steps), 100.0), price),
        kernels.greater_equal(column("size"), 1),
        kernels.is_in(column("side"), value_set=pa.array(["B", "S"])),
        kernels.match_substring_regex(column("trade_id"), "^T[0-9]{10}$"),
        kernels.is_valid(column("ts")),
        kernels.fill_null(kernels.greater_equal(column("ts"), 0), True),
        kernels.less_equal(kernels.utf8_length(column("cond")), 8),
    ]
    good, zero = None, pa.scalar(0, pa.uint64())
    mask = pa.repeat(zero, trades.num_rows)
    for bit, check in enumerate(checks):
        good = check if good is None else kernels.and_(good, check)
        mask = kernels.bit_wise_or(
            mask, kernels.if_else(check, zero, pa.scalar(1 << bit, pa.uint64()))
        )
    return good, mask


def by_rows(oracle: Any, trades: pa.RecordBatch) -> list[Any]:
    """The same answer, all reasons included, row by row."""
    return [list(oracle.iter_errors(document)) for document in row_documents(trades)]


def compare_with_kernels(
    rows: int, *, most_nanoseconds: float | None = None, most_over_kernels: float | None = None
) -> None:
    """Cost of verdicts and reason mask, and its ratio to the same by other means."""
    trades = batch(rows, 0.01)
    validator = compile_schema(SCHEMA, trades.schema)

    def ours() -> object:
        verdicts = validator.check(trades)
        return verdicts.good, verdicts.reason_mask

    expected, _ = by_hand(trades)
    verdicts = validator.check(trades)
    assert verdicts.good.equals(expected)
    assert verdicts.oracle_rows == 0
    others = {
        "polars": polars_expressions(trades, VENUES),
        "pandera": pandera_frames(trades, VENUES),
    }
    for count in others.values():
        assert count() == verdicts.bad_count
    seconds = medians(
        {
            "ours": repeated(ours, rows),
            "hand": repeated(lambda: by_hand(trades), rows),
            **{name: repeated(run, rows) for name, run in others.items()},
        }
    )
    costs = {name: taken / rows * 1e9 for name, taken in seconds.items()}
    name, cost = f"check_{rows}_rows", costs["ours"]
    limit = None if most_nanoseconds is None else at_most(most_nanoseconds)
    report(BENCH, name, cost, "ns/row", target=limit)
    for other, limit in {
        "kernels_by_hand": None if most_over_kernels is None else ratio_at_most(most_over_kernels),
        "polars": None,
        "pandera": None,
    }.items():
        baseline = costs["hand" if other == "kernels_by_hand" else other]
        report(BENCH, f"{name}_over_{other}", cost, "ns/row", baseline=baseline, target=limit)


def repeated(run: Callable[[], object], rows: int) -> Callable[[], float]:
    """A measure of the seconds one run takes, over enough runs to be told apart."""
    times = max(1, _ROWS_A_LAP // rows)

    def measure() -> float:
        started = time.perf_counter()
        for _ in range(times):
            run()
        return (time.perf_counter() - started) / times

    return measure


def compare_with_oracle(rows: int) -> None:
    """Speed against the row oracle, to the same answer and to the verdict alone."""
    trades = batch(rows, 0.01)
    validator = compile_schema(SCHEMA, trades.schema)
    oracle = jsonschema_rs.Draft202012Validator(SCHEMA)
    documents = row_documents(trades)

    def ours() -> object:
        verdicts = validator.check(trades)
        return verdicts.good, verdicts.reasons_of(verdicts.bad_indices)

    found = [errors == [] for errors in by_rows(oracle, trades)]
    assert validator.check(trades).good.to_pylist() == found
    seconds = medians(
        {
            "ours": timed(ours),
            "rows": timed(lambda: by_rows(oracle, trades)),
            "dicts": timed(lambda: [oracle.is_valid(document) for document in documents]),
            "mask": timed(lambda: validator.check(trades).good),
        }
    )
    rates = {name: rows / taken / 1e6 for name, taken in seconds.items()}
    report(
        BENCH,
        "verdicts_and_reasons_over_jsonschema_rs_on_the_same_batch",
        rates["ours"],
        "M rows/s",
        baseline=rates["rows"],
        target=ratio_at_least(10),
    )
    report(
        BENCH,
        "verdicts_over_jsonschema_rs_on_ready_dicts",
        rates["mask"],
        "M rows/s",
        baseline=rates["dicts"],
    )


def compare_shares_of_bad_rows(rows: int) -> None:
    """Cost as more rows are bad, reasons on demand."""
    batches = {share: batch(rows, share) for share in (0.0, 0.01, 0.1, 0.5)}
    validator = compile_schema(SCHEMA, batches[0.0].schema)

    def check(trades: pa.RecordBatch) -> Callable[[], float]:
        return repeated(lambda: validator.check(trades).reason_mask, rows)

    seconds = medians({str(share): check(trades) for share, trades in batches.items()})
    costs = {share: seconds[str(share)] / rows * 1e9 for share in batches}
    report(BENCH, f"check_{rows}_clean_rows", costs[0.0], "ns/row")
    for share in (0.01, 0.1, 0.5):
        report(
            BENCH,
            f"check_{rows}_rows_{round(share * 100)}_percent_bad_over_clean",
            costs[share],
            "ns/row",
            baseline=costs[0.0],
            target=ratio_at_most(2),
        )


def measure_compilation() -> None:
    """A known schema and Arrow schema are only looked up."""
    text, arrow_schema = json.dumps(SCHEMA), batch(10, 0.0).schema

    def look_up() -> None:
        for _ in range(_LOOKUPS):
            compile_schema(text, arrow_schema)

    seconds = medians({"look_up": timed(look_up)}, seconds=SECONDS / 10)["look_up"]
    report(BENCH, "cached_compile", seconds / _LOOKUPS * 1e6, "us", target=at_most(1))


def main() -> None:
    """Run all comparisons."""
    compare_with_kernels(65_536, most_nanoseconds=150, most_over_kernels=1.3)
    compare_with_kernels(4_096)
    compare_with_kernels(1_000, most_nanoseconds=400, most_over_kernels=1.5)
    for rows in (65_536, 4_096, 1_000):
        compare_shares_of_bad_rows(rows)
    compare_with_oracle(16_384)
    measure_compilation()


if __name__ == "__main__":
    main()
