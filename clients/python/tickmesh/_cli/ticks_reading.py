"""The verbs of `tickmesh ticks` that read rows as they are stored: get and tail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import click

from tickmesh._cli.instant import instant_of
from tickmesh._cli.output import Output, command_line, output_option
from tickmesh._cli.row_output import print_table, row_lines
from tickmesh._cli.tick_options import (
    TERMINAL_ROWS,
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

    from tickmesh.errors import TickmeshError


@click.command()
@click.argument("dataset")
@range_options
@column_option
@where_option
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help="At most so many rows; a table shows 20 if absent, a file or JSON all.",
)
@click.option(
    "--order",
    type=click.Choice(["arrival", "time"]),
    default="arrival",
    show_default=True,
    help="As rows were committed, or by event time.",
)
@snapshot_options
@click.option("--stamps", is_flag=True, help="Add schema version, ingest time, dataset revision.")
@out_option
@output_option
def get(
    *,
    dataset: str,
    start: str | None,
    end: str | None,
    tz: str | None,
    symbols: tuple[str, ...],
    columns: tuple[str, ...],
    where: str | None,
    limit: int | None,
    order: Literal["arrival", "time"],
    as_of: int | None,
    snapshot: str | None,
    version: int | None,
    stamps: bool,
    out: Path | None,
    output: Output,
) -> None:
    """Read DATASET to a file, or its first rows to the terminal.

    With --output json: one object a row.
    """
    from tickmesh.ticks import TickClient

    printed = out is None and output is Output.TABLE
    # One row more than is shown, to tell whether there are more.
    wanted = TERMINAL_ROWS + 1 if printed and limit is None else limit
    with TickClient() as client:
        reader = client.stream(
            dataset,
            start=instant_of(start, tz=tz, option="--start"),
            end=instant_of(end, tz=tz, option="--end"),
            symbols=symbols or None,
            columns=columns or None,
            where=condition_of(where, tz=tz),
            limit=wanted,
            order=order,
            as_of=as_of,
            snapshot=snapshot,
            version=version,
            stamps=stamps,
        )
        if not printed:
            show_rows(reader, out=out, output=output)
            return
        table = reader.read_all()
        print_table(table if limit else table.slice(0, TERMINAL_ROWS))
        if limit is None and table.num_rows > TERMINAL_ROWS:
            more = "more with --limit, all with --out FILE.parquet"
            click.echo(f"the first {TERMINAL_ROWS} rows; {more}")


@click.command()
@click.argument("dataset")
@click.option("--after", help="Go on after this position of an earlier tail.")
@click.option("--new", is_flag=True, help="Only rows committed from now on.")
@click.option("--symbol", "symbols", multiple=True, help="Only this symbol; repeatable.")
@column_option
@where_option
@click.option("--tz", help="The zone of times in --where that name none.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many rows.")
def tail(
    *,
    dataset: str,
    after: str | None,
    new: bool,
    symbols: tuple[str, ...],
    columns: tuple[str, ...],
    where: str | None,
    tz: str | None,
    count: int | None,
) -> None:
    """Follow DATASET from its first row, a position, or now on.

    One JSON object a row. It goes on by itself when the connection was lost, and says so on
    standard error. When it ends, standard error says from which position to go on: behind the last
    batch that was printed whole.
    """
    from tickmesh.ticks import TickClient

    if new and after is not None:
        raise click.UsageError("--after and --new both say where to begin; give one of them")
    seen = 0
    position = after
    with TickClient() as client:
        follow = client.tail(
            dataset,
            after=after,
            begin="newest" if new else "first",
            symbols=symbols or None,
            columns=columns or None,
            where=condition_of(where, tz=tz),
            on_interruption=_tell,
        )
        try:
            with follow:
                for piece in follow:
                    rows = piece.batch if count is None else piece.batch.slice(0, count - seen)
                    for line in row_lines(rows):
                        click.echo(line)
                    seen += rows.num_rows
                    if rows.num_rows == piece.batch.num_rows:
                        position = piece.position
                    if count is not None and seen >= count:
                        break
        finally:
            if position:
                line = command_line("ticks", "tail", dataset, "--after", position)
                click.echo(f"next: {line}", err=True)


def _tell(error: TickmeshError) -> None:
    click.echo(f"interrupted, going on: {error.message}", err=True)
