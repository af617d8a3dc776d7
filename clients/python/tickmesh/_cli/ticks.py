"""`tickmesh ticks`: put, get, follow and count stored rows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import pyarrow as pa

from tickmesh._cli.instant import instant_of
from tickmesh._cli.output import (
    Output,
    command_line,
    counted,
    instant,
    output_option,
    print_facts,
    print_json,
    print_rows,
)
from tickmesh._cli.row_output import print_table, row_lines, write_table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tickmesh.api.tickstore.v1 import dataset_pb2

_TERMINAL_ROWS = 20
_NO_DATASETS = "no datasets yet; the first stored row of a subject makes its dataset"


@click.group()
def ticks() -> None:
    """Put, get, follow and count stored rows."""


@ticks.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--subject", required=True, help="The subject; its dataset has the same name.")
@click.option("--version", type=int, help="The schema version; the one in force if absent.")
@click.option("--tz", help="The zone of zone-less timestamps, such as America/New_York.")
@output_option
def put(*, file: Path, subject: str, version: int | None, tz: str | None, output: Output) -> None:
    """Store the rows of FILE, all of them or none.

    FILE is Parquet, Arrow IPC or CSV with a header; `tickmesh clean` takes more, and keeps good
    rows where others are bad.
    """
    from tickmesh.ticks import TickClient

    table = _read_file(file, subject)
    with TickClient() as client:
        receipt = client.put(subject, table, version=version, tz=tz)
    facts: dict[str, object] = {
        "dataset": subject,
        "rows": receipt.rows,
        "batches": receipt.batches,
        "dataset_revision": receipt.dataset_revision,
    }
    print_facts(facts, output=output)


@ticks.command()
@click.argument("dataset")
@click.option("--start", help="Event times from here on, such as 2026-11-20T14:30:00Z.")
@click.option("--end", help="Event times before here.")
@click.option("--tz", help="The zone of --start and --end where they name none.")
@click.option("--symbol", "symbols", multiple=True, help="Only this symbol; repeatable.")
@click.option("--column", "columns", multiple=True, help="Only this column; repeatable.")
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
@click.option("--as-of", type=int, help="Read as of this dataset revision; the newest if absent.")
@click.option(
    "--version", type=int, help="Read under this schema version; the dataset's newest if absent."
)
@click.option("--stamps", is_flag=True, help="Add schema version, ingest time, dataset revision.")
@click.option(
    "--out",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write FILE.parquet, FILE.csv or FILE.arrow instead of printing.",
)
@output_option
def get(
    *,
    dataset: str,
    start: str | None,
    end: str | None,
    tz: str | None,
    symbols: tuple[str, ...],
    columns: tuple[str, ...],
    limit: int | None,
    order: Literal["arrival", "time"],
    as_of: int | None,
    version: int | None,
    stamps: bool,
    out: Path | None,
    output: Output,
) -> None:
    """Read DATASET to a file, or its first rows to the terminal.

    With --output json: one object a row.
    """
    from tickmesh.ticks import TickClient

    wanted = limit
    if limit is None and out is None and output is Output.TABLE:
        wanted = _TERMINAL_ROWS + 1  # one more than is shown, to tell whether there are more
    with TickClient() as client:
        reader = client.stream(
            dataset,
            start=instant_of(start, tz=tz, option="--start"),
            end=instant_of(end, tz=tz, option="--end"),
            symbols=symbols or None,
            columns=columns or None,
            limit=wanted,
            order=order,
            as_of=as_of,
            version=version,
            stamps=stamps,
        )
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
            print_table(table if limit else table.slice(0, _TERMINAL_ROWS))
            if limit is None and table.num_rows > _TERMINAL_ROWS:
                more = "more with --limit, all with --out FILE.parquet"
                click.echo(f"the first {_TERMINAL_ROWS} rows; {more}")


@ticks.command()
@click.argument("dataset")
@click.option("--after", help="Go on after this position of an earlier tail.")
@click.option("--symbol", "symbols", multiple=True, help="Only this symbol; repeatable.")
@click.option("--column", "columns", multiple=True, help="Only this column; repeatable.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many rows.")
def tail(
    *,
    dataset: str,
    after: str | None,
    symbols: tuple[str, ...],
    columns: tuple[str, ...],
    count: int | None,
) -> None:
    """Follow DATASET from its first row, or from a position.

    One JSON object a row. When it ends, standard error says from which position to go on: behind
    the last batch that was printed whole.
    """
    from tickmesh.ticks import TickClient

    seen = 0
    position = after
    with TickClient() as client:
        follow = client.tail(dataset, after=after, symbols=symbols or None, columns=columns or None)
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


@ticks.command("list")
@click.option("--prefix", default="", help="Only datasets whose names begin with this.")
@output_option
def list_(*, prefix: str, output: Output) -> None:
    """List datasets."""
    from tickmesh.ticks import TickClient

    with TickClient() as client:
        found = client.datasets(prefix=prefix)
    empty = f"no dataset begins with {prefix}" if prefix else _NO_DATASETS
    _print_datasets(found, output=output, empty=empty)


@ticks.command()
@click.argument("dataset", required=False)
@output_option
def stats(*, dataset: str | None, output: Output) -> None:
    """Tell what DATASET, or the whole store, holds, and how it is doing."""
    from tickmesh.ticks import TickClient

    with TickClient() as client:
        answer = client.statistics(dataset)
    facts: dict[str, object] = {
        "rows_committed": answer.rows_committed,
        "commit_groups": answer.commit_groups,
        "duplicate_batches": answer.duplicate_batches,
        "refused_batches": answer.refused_batches,
        "registry_away_since": instant(answer.registry_stale_since_ns),
        "recovery_seconds": round(answer.recovery.duration_seconds, 3),
        "recovery_torn_bytes": answer.recovery.torn_bytes,
    }
    if output is Output.JSON:
        print_json(facts | {"datasets": [_facts(found) for found in answer.datasets]})
        return
    _print_datasets(answer.datasets, output=output, empty=_NO_DATASETS)
    for broken in (found for found in answer.datasets if found.failure):
        click.echo(f"{broken.name}: {broken.failure}", err=True)
    click.echo("since the tick store started")
    print_facts(facts, output=output)


def _read_file(file: Path, subject: str) -> pa.Table | pa.RecordBatchReader:
    from tickmesh.errors import InvalidArgumentError

    try:
        if file.suffix == ".parquet":
            from pyarrow import parquet

            return parquet.read_table(file)
        if file.suffix in {".arrow", ".ipc", ".feather"}:
            with pa.memory_map(str(file)) as source:
                return pa.ipc.open_file(source).read_all()
        if file.suffix == ".csv":
            return _read_csv(file, subject)
    except pa.ArrowInvalid as error:
        raise InvalidArgumentError(f"{file.name} cannot be read: {error}") from None
    raise click.BadParameter(
        f"expected a .parquet, .arrow or .csv file, was {file.name}; "
        f"for anything else: tickmesh clean {file} --subject {subject}"
    )


def _read_csv(file: Path, subject: str) -> pa.Table:
    from pyarrow import csv

    from tickmesh.registry import RegistryClient

    with RegistryClient() as client:
        schema = client.in_force(subject).arrow_schema
    types = {
        field.name: field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        for field in schema
    }
    return csv.read_csv(file, convert_options=csv.ConvertOptions(column_types=types))


def _print_datasets(datasets: Iterable[dataset_pb2.Dataset], *, output: Output, empty: str) -> None:
    rows = [_facts(found) for found in datasets]
    columns = ["dataset", "rows", "bytes", "revision", "schema_versions"]
    if any(row["first"] for row in rows):  # known once rows are in segments
        columns += ["first", "last"]
    print_rows(rows, columns=columns, output=output, empty=empty)


def _facts(dataset: dataset_pb2.Dataset) -> dict[str, object]:
    return {
        "dataset": dataset.name,
        "rows": dataset.row_count,
        "bytes": dataset.size_bytes,
        "revision": dataset.revision,
        "schema_versions": list(dataset.schema_versions),
        "first": instant(dataset.min_event_time_ns),
        "last": instant(dataset.max_event_time_ns),
        "failure": dataset.failure or None,
    }
