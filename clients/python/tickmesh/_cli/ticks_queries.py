"""The verbs of `tickmesh ticks` that ask: latest, asof, bars, sql."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Literal

import click

from tickmesh._cli.instant import instant_of
from tickmesh._cli.output import Output, output_option
from tickmesh._cli.tick_options import (
    Duration,
    column_option,
    condition_of,
    out_option,
    range_options,
    show_rows,
    snapshot_options,
    where_option,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh.ticks import TradingSession

_STANDARD_INPUT = "-"


@click.command()
@click.argument("dataset")
@click.option("--at", help="Only rows up to this instant: what was known then.")
@click.option("--tz", help="The zone of times that name none, such as America/New_York.")
@click.option("--symbol", "symbols", multiple=True, help="Only this symbol; repeatable.")
@column_option
@where_option
@click.option(
    "--rows",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Rows of each symbol.",
)
@snapshot_options
@out_option
@output_option
def latest(
    *,
    dataset: str,
    at: str | None,
    tz: str | None,
    symbols: tuple[str, ...],
    columns: tuple[str, ...],
    where: str | None,
    rows: int,
    as_of: int | None,
    snapshot: str | None,
    version: int | None,
    out: Path | None,
    output: Output,
) -> None:
    """Show the newest rows of each symbol of DATASET.

    By event time; of one instant, the last committed.
    """
    from tickmesh.ticks import TickClient

    with TickClient() as client:
        table = client.latest(
            dataset,
            at=instant_of(at, tz=tz, option="--at"),
            symbols=symbols or None,
            columns=columns or None,
            where=condition_of(where, tz=tz),
            rows_per_symbol=rows,
            as_of=as_of,
            snapshot=snapshot,
            version=version,
        )
    show_rows(table.to_reader(), out=out, output=output)


@click.command()
@click.argument("left")
@click.argument("right")
@range_options
@click.option("--column", "columns", multiple=True, help="Only this column of LEFT; repeatable.")
@click.option("--right-column", multiple=True, help="Only this column of RIGHT; repeatable.")
@click.option("--tolerance", type=Duration(), help="How far apart rows may be, such as 5s.")
@click.option(
    "--direction",
    type=click.Choice(["backward", "forward", "nearest"]),
    default="backward",
    show_default=True,
    help="The last row of RIGHT before, the first after, or the nearer one.",
)
@click.option(
    "--exact",
    type=click.Choice(["allowed", "excluded"]),
    default="allowed",
    show_default=True,
    help="Whether rows of the very same instant match.",
)
@click.option(
    "--by",
    type=click.Choice(["auto", "symbol", "none"]),
    default="auto",
    show_default=True,
    help="Match within a symbol or among all; auto is symbol where both have one.",
)
@out_option
@output_option
def asof(
    *,
    left: str,
    right: str,
    start: str | None,
    end: str | None,
    tz: str | None,
    symbols: tuple[str, ...],
    columns: tuple[str, ...],
    right_column: tuple[str, ...],
    tolerance: int | None,
    direction: Literal["backward", "forward", "nearest"],
    exact: Literal["allowed", "excluded"],
    by: Literal["auto", "symbol", "none"],
    out: Path | None,
    output: Output,
) -> None:
    """Join each row of LEFT with the row of RIGHT in force then.

    For trades and quotes: every trade, with the quote it met.
    """
    from tickmesh.ticks import Selection, TickClient

    with TickClient() as client:
        table = client.asof_join(
            Selection(left, columns=columns or None),
            Selection(right, columns=right_column or None),
            start=instant_of(start, tz=tz, option="--start"),
            end=instant_of(end, tz=tz, option="--end"),
            symbols=symbols or None,
            tolerance=tolerance,
            direction=direction,
            exact=exact,
            by=by,
        )
    show_rows(table.to_reader(), out=out, output=output)


@click.command()
@click.argument("dataset")
@click.option("--every", type=Duration(), help="Time bars of this width, such as 1m.")
@click.option("--ticks", type=click.IntRange(min=1), help="Bars of so many rows.")
@click.option("--volume", type=click.FloatRange(min=0, min_open=True), help="Bars of this volume.")
@click.option(
    "--dollars",
    type=click.FloatRange(min=0, min_open=True),
    help="Bars of this sum of price times size.",
)
@range_options
@where_option
@click.option(
    "--fill",
    type=click.Choice(["omit", "null", "previous"]),
    default="omit",
    show_default=True,
    help="Time bars without a row: left out, with nulls, or with the close before.",
)
@click.option("--session", help="Only rows within these hours in --tz, such as 09:30-16:00.")
@click.option("--price", help="The price column, where no role says which it is.")
@click.option("--size", help="The size column, where no role says which it is.")
@snapshot_options
@out_option
@output_option
def bars(  # noqa: PLR0913 — each is an option of its own
    *,
    dataset: str,
    every: int | None,
    ticks: int | None,
    volume: float | None,
    dollars: float | None,
    start: str | None,
    end: str | None,
    tz: str | None,
    symbols: tuple[str, ...],
    where: str | None,
    fill: Literal["omit", "null", "previous"],
    session: str | None,
    price: str | None,
    size: str | None,
    as_of: int | None,
    snapshot: str | None,
    version: int | None,
    out: Path | None,
    output: Output,
) -> None:
    """Build bars of each symbol of DATASET.

    Open, high, low, close, volume, vwap and trades; give one of --every, --ticks, --volume and
    --dollars.
    """
    from tickmesh.ticks import TickClient

    widths = (every, ticks, volume, dollars)
    if sum(width is not None for width in widths) != 1:
        raise click.UsageError(
            "expected one of --every 1m, --ticks 1000, --volume 1e6 and --dollars 1e7"
        )
    with TickClient() as client:
        table = client.bars(
            dataset,
            every=every,
            ticks=ticks,
            volume=volume,
            dollars=dollars,
            start=instant_of(start, tz=tz, option="--start"),
            end=instant_of(end, tz=tz, option="--end"),
            symbols=symbols or None,
            where=condition_of(where, tz=tz),
            fill=fill,
            session=_session(session, tz=tz),
            price=price,
            size=size,
            as_of=as_of,
            snapshot=snapshot,
            version=version,
        )
    show_rows(table.to_reader(), out=out, output=output)


@click.command()
@click.argument("query")
@click.option("--parameter", "parameters", multiple=True, help="The text of $1, $2, …; repeatable.")
@out_option
@output_option
def sql(*, query: str, parameters: tuple[str, ...], out: Path | None, output: Output) -> None:
    """Run one read-only QUERY of SQL over datasets.

    Datasets are tables under their quoted names: 'select * from "ticks.trades" limit 5'.
    QUERY `-` is read from standard input.
    """
    from tickmesh.ticks import TickClient

    text = sys.stdin.read() if query == _STANDARD_INPUT else query
    with TickClient() as client:
        table = client.sql(text, parameters=parameters)
    show_rows(table.to_reader(), out=out, output=output)


def _session(hours: str | None, *, tz: str | None) -> TradingSession | None:
    from tickmesh.errors import InvalidArgumentError
    from tickmesh.ticks import TradingSession

    if hours is None:
        return None
    opens, _, closes = hours.partition("-")
    if tz is None:
        raise click.UsageError("--session needs its zone: add --tz America/New_York")
    session = TradingSession(opens.strip(), closes.strip(), tz=tz)
    try:
        session.message()
    except InvalidArgumentError as error:
        raise click.BadParameter(error.message, param_hint="--session") from None
    return session
