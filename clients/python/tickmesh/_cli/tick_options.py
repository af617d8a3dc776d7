"""Options that the verbs of `tickmesh ticks` share, and how their rows are shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from tickmesh._cli.output import Output, counted, print_json
from tickmesh._cli.row_output import FILE_ENDINGS, print_table, row_lines, write_table
from tickmesh._ticks.durations import duration_ns
from tickmesh._ticks.filter_text import parse_filter
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa

    from tickmesh._ticks.filters import Filter

_P = ParamSpec("_P")
_R = TypeVar("_R")

TERMINAL_ROWS = 20


class Duration(click.ParamType[int]):
    """A span of time, as nanoseconds."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Read text such as `250ms` or `1h30m`."""
        if isinstance(value, int):
            return value
        try:
            return duration_ns(str(value), name="it")
        except InvalidArgumentError:
            self.fail(f"expected a span such as 250ms, 1s, 5m or 1h, was {value}", param, ctx)


class RowsFile(click.Path):
    """A file that rows are written to, in the format its name ends in."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check the ending before anything is read."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.suffix not in FILE_ENDINGS:
            endings = ", ".join(FILE_ENDINGS)
            self.fail(f"expected a name ending in one of {endings}, was {path.name}", param, ctx)
        return path


def condition_of(text: str | None, *, tz: str | None) -> Filter | None:
    """Read the text of `--where`.

    Raises:
        click.BadParameter: it is no condition.
    """
    if text is None:
        return None
    try:
        return parse_filter(text, tz=tz)
    except InvalidArgumentError as error:
        raise click.BadParameter(error.message, param_hint="--where") from None


def range_options(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Add `--start`, `--end`, `--tz` and `--symbol`."""
    for option in (
        click.option("--symbol", "symbols", multiple=True, help="Only this symbol; repeatable."),
        click.option("--tz", help="The zone of times that name none, such as America/New_York."),
        click.option("--end", help="Event times before here."),
        click.option("--start", help="Event times from here on, such as 2026-11-20T14:30:00Z."),
    ):
        command = option(command)
    return command


def column_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Add `--column`."""
    return click.option("--column", "columns", multiple=True, help="Only this column; repeatable.")(
        command
    )


def where_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Add `--where`."""
    return click.option(
        "--where",
        help="Only rows for which this holds, such as \"price > 100 and symbol = 'AAPL'\".",
    )(command)


def snapshot_options(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Add `--as-of`, `--snapshot` and `--version`."""
    for option in (
        click.option(
            "--version",
            type=int,
            help="Read under this schema version; the dataset's newest if absent.",
        ),
        click.option("--snapshot", help="Read as of this named snapshot."),
        click.option(
            "--as-of", type=int, help="Read as of this dataset revision; the newest if absent."
        ),
    ):
        command = option(command)
    return command


def out_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Add `--out`."""
    return click.option(
        "--out",
        type=RowsFile(),
        help="Write FILE.parquet, FILE.csv or FILE.arrow instead of printing.",
    )(command)


def show_rows(reader: pa.RecordBatchReader, *, out: Path | None, output: Output) -> None:
    """Write rows to a file, print all as JSON lines, or the first as a table."""
    if out is not None:
        rows = write_table(reader, out)
        if output is Output.JSON:
            print_json({"file": str(out), "rows": rows})
        else:
            click.echo(f"wrote {counted(rows, 'row')} to {out}")
    elif output is Output.JSON:
        for batch in reader:
            for line in row_lines(batch):
                click.echo(line)
    else:
        table = reader.read_all()
        print_table(table.slice(0, TERMINAL_ROWS))
        if table.num_rows > TERMINAL_ROWS:
            click.echo(
                f"the first {TERMINAL_ROWS} of {counted(table.num_rows, 'row')}; "
                "all with --out FILE.parquet"
            )
