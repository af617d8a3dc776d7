"""`tickmesh ticks`: put rows, read and query them, tell what is stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import pyarrow as pa

from tickmesh._cli.output import (
    Output,
    instant,
    output_option,
    print_facts,
    print_json,
    print_rows,
)
from tickmesh._cli.ticks_datasets import dataset
from tickmesh._cli.ticks_queries import asof, bars, latest, sql
from tickmesh._cli.ticks_reading import get, tail
from tickmesh._cli.ticks_snapshots import snapshot
from tickmesh._cli.ticks_upkeep import compact, flush

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tickmesh.api.tickstore.v1 import dataset_pb2

_NO_DATASETS = "no datasets yet; the first stored row of a subject makes its dataset"


@click.group()
def ticks() -> None:
    """Put, read, query and follow stored rows."""


for verb in (get, latest, asof, bars, sql, tail, dataset, snapshot, flush, compact):
    ticks.add_command(verb)


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
    """Tell what DATASET, or the whole store, holds, and how it does."""
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
