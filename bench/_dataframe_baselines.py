"""The benchmark schema as people write it for pandera and for polars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa


def polars_expressions(trades: pa.RecordBatch, venues: Sequence[str]) -> Callable[[], int]:
    """One expression a rule, all in one query; answers how many rows are bad."""
    import polars as pl

    frame: Any = pl.from_arrow(trades)
    column = pl.col
    rules = [
        column("symbol").str.contains(r"^[A-Z.]{1,6}$"),
        column("venue").is_in(list(venues)),
        column("price") > 0,
        column("price") <= 1_000_000,
        # Not divided by 100 again: polars multiplies by the reciprocal, which is another number.
        column("price").round(2) == column("price"),
        column("size") >= 1,
        column("side").is_in(["B", "S"]),
        column("trade_id").str.contains(r"^T[0-9]{10}$"),
        column("ts").is_not_null(),
        (column("ts") >= 0).fill_null(True),
        column("cond").str.len_chars() <= 8,
    ]
    words = [
        pl.when(rule).then(0).otherwise(1 << bit).cast(pl.UInt64) for bit, rule in enumerate(rules)
    ]
    word = pl.fold(
        pl.lit(0, dtype=pl.UInt64), function=lambda left, right: left | right, exprs=words
    )

    def run() -> int:
        found: int = frame.select(word.alias("word")).filter(pl.col("word") != 0).height
        return found

    return run


def pandera_frames(trades: pa.RecordBatch, venues: Sequence[str]) -> Callable[[], int]:
    """A lazy pandera schema over a pandas frame; answers how many rows are bad."""
    import pandera.pandas as pandera
    from pandera.errors import SchemaErrors

    frame = trades.to_pandas()
    check = pandera.Check
    schema = pandera.DataFrameSchema(
        {
            "symbol": pandera.Column(str, check.str_matches(r"^[A-Z.]{1,6}$")),
            "venue": pandera.Column(str, check.isin(list(venues))),
            "price": pandera.Column(
                float,
                [
                    check.gt(0),
                    check.le(1_000_000),
                    check(lambda prices: (prices * 100).round() / 100 == prices),
                ],
            ),
            "size": pandera.Column(int, check.ge(1)),
            "side": pandera.Column(str, check.isin(["B", "S"])),
            "trade_id": pandera.Column(str, check.str_matches(r"^T[0-9]{10}$")),
            "ts": pandera.Column(float, check.ge(0), nullable=False, coerce=True),
            "cond": pandera.Column(str, check.str_length(max_value=8)),
        }
    )

    def run() -> int:
        try:
            schema.validate(frame, lazy=True)
        except SchemaErrors as errors:
            return int(errors.failure_cases["index"].nunique())
        return 0

    return run
