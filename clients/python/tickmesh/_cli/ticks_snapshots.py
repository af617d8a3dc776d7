"""`tickmesh ticks snapshot`: revisions that are named and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tickmesh._cli.output import (
    Output,
    command_line,
    instant,
    output_option,
    print_facts,
    print_rows,
)
from tickmesh._registry.messages import timestamp_ns

if TYPE_CHECKING:
    from tickmesh.api.tickstore.v1 import dataset_pb2

_EMPTY = f"no snapshots; make one: {command_line('ticks', 'snapshot', 'create', 'NAME')}"


@click.group()
def snapshot() -> None:
    """Name revisions of datasets and keep what they show."""


@snapshot.command()
@click.argument("name")
@click.option(
    "--dataset", "datasets", multiple=True, help="Only this dataset; repeatable. All if absent."
)
@output_option
def create(*, name: str, datasets: tuple[str, ...], output: Output) -> None:
    """Give the present revisions of datasets the name NAME.

    Reads take it as --snapshot NAME. Retention and compaction take nothing of it away.
    """
    from tickmesh.ticks import TickClient

    with TickClient() as client:
        made = client.create_snapshot(name, datasets=datasets)
    print_facts(_facts(made), output=output)


@snapshot.command("list")
@click.option("--dataset", help="Only snapshots that hold this dataset.")
@output_option
def list_(*, dataset: str | None, output: Output) -> None:
    """List snapshots."""
    from tickmesh.ticks import TickClient

    with TickClient() as client:
        found = client.snapshots(dataset=dataset)
    print_rows(
        [_facts(each) for each in found],
        columns=["snapshot", "created", "revisions"],
        output=output,
        empty=_EMPTY,
    )


@snapshot.command()
@click.argument("name")
@output_option
def delete(*, name: str, output: Output) -> None:
    """Delete the snapshot NAME.

    Its rows stay as long as their datasets keep them.
    """
    from tickmesh.ticks import TickClient

    with TickClient() as client:
        client.delete_snapshot(name)
    print_facts({"deleted": name}, output=output)


def _facts(found: dataset_pb2.Snapshot) -> dict[str, object]:
    return {
        "snapshot": found.name,
        "created": instant(timestamp_ns(found.created_at)),
        "revisions": dict(sorted(found.revisions.items())),
    }
