"""`tickmesh ticks dataset`: settings of datasets, and their end."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from tickmesh._cli.output import (
    Output,
    counted,
    instant,
    output_option,
    print_facts,
)
from tickmesh._cli.tick_options import Duration
from tickmesh._registry.messages import timestamp_ns
from tickmesh._ticks.durations import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh.api.tickstore.v1 import dataset_pb2

_P = ParamSpec("_P")
_R = TypeVar("_R")

_BYTES = click.IntRange(min=1)


def _settings_options(command: Callable[_P, _R]) -> Callable[_P, _R]:
    for option in (
        click.option(
            "--max-put-streams", type=click.IntRange(min=1), help="Put streams open at a time."
        ),
        click.option("--max-bytes", type=_BYTES, help="Puts are refused beyond so many bytes."),
        click.option(
            "--keep-bytes", type=_BYTES, help="Drop the oldest rows beyond so many bytes."
        ),
        click.option("--keep", type=Duration(), help="Drop rows older than this, such as 30d."),
        click.option(
            "--naive-time-zone", help="Read zone-less timestamps of puts in this IANA zone."
        ),
    ):
        command = option(command)
    return command


@click.group()
def dataset() -> None:
    """Create, show, change and delete datasets."""


@dataset.command()
@click.argument("subject")
@_settings_options
@output_option
def create(
    *,
    subject: str,
    naive_time_zone: str | None,
    keep: int | None,
    keep_bytes: int | None,
    max_bytes: int | None,
    max_put_streams: int | None,
    output: Output,
) -> None:
    """Create the dataset of a registered SUBJECT before its first row."""
    from tickmesh.ticks import Limits, Retention, TickClient

    with TickClient() as client:
        made = client.create_dataset(
            subject,
            naive_time_zone=naive_time_zone or "",
            retention=Retention(max_age=keep, max_bytes=keep_bytes),
            limits=Limits(max_bytes=max_bytes, max_put_streams=max_put_streams),
        )
    print_facts(_facts(made), output=output)


@dataset.command()
@click.argument("name", metavar="DATASET")
@output_option
def show(*, name: str, output: Output) -> None:
    """Show what DATASET holds, in which form, and its settings."""
    from tickmesh.ticks import TickClient

    with TickClient() as client:
        found = client.dataset(name)
    print_facts(_facts(found), output=output)


@dataset.command()
@click.argument("name", metavar="DATASET")
@_settings_options
@click.option("--keep-everything", is_flag=True, help="Drop nothing any more.")
@click.option("--no-limits", is_flag=True, help="Only the store's own limits count.")
@click.option("--refuse-naive", is_flag=True, help="Refuse zone-less timestamps.")
@output_option
def update(
    *,
    name: str,
    naive_time_zone: str | None,
    keep: int | None,
    keep_bytes: int | None,
    max_bytes: int | None,
    max_put_streams: int | None,
    keep_everything: bool,
    no_limits: bool,
    refuse_naive: bool,
    output: Output,
) -> None:
    """Change settings of DATASET; what is not given stays.

    --keep and --keep-bytes replace the retention together, --max-bytes and --max-put-streams the
    limits.
    """
    from tickmesh.ticks import Limits, Retention, TickClient

    _require_one(keep_everything, "--keep-everything", keep, keep_bytes)
    _require_one(no_limits, "--no-limits", max_bytes, max_put_streams)
    _require_one(refuse_naive, "--refuse-naive", naive_time_zone)
    retention = Retention(max_age=keep, max_bytes=keep_bytes)
    limits = Limits(max_bytes=max_bytes, max_put_streams=max_put_streams)
    with TickClient() as client:
        changed = client.update_dataset(
            name,
            naive_time_zone="" if refuse_naive else naive_time_zone,
            retention=retention if keep_everything or keep or keep_bytes else None,
            limits=limits if no_limits or max_bytes or max_put_streams else None,
        )
    print_facts(_facts(changed), output=output)


@dataset.command()
@click.argument("name", metavar="DATASET")
@click.option("--yes", is_flag=True, help="Do not ask.")
@output_option
def delete(*, name: str, yes: bool, output: Output) -> None:
    """Delete DATASET with all its rows, for good.

    Refused while a named snapshot holds it. The next put to the subject begins it anew.
    """
    from tickmesh.ticks import TickClient

    with TickClient() as client:
        found = client.dataset(name)
        if not yes:
            rows = counted(found.row_count, "row")
            click.confirm(f"delete {name} and its {rows}?", abort=True, err=True)
        rows_deleted = client.delete_dataset(name)
    print_facts({"dataset": name, "rows_deleted": rows_deleted}, output=output)


def _require_one(flag: bool, name: str, *others: object) -> None:  # noqa: FBT001  # the flag's value
    if flag and any(other is not None for other in others):
        raise click.UsageError(f"{name} takes away what the others set: give one or the other")


def _facts(found: dataset_pb2.Dataset) -> dict[str, object]:
    keep = found.retention.max_age if found.retention.HasField("max_age") else None
    return {
        "dataset": found.name,
        "rows": found.row_count,
        "bytes": found.size_bytes,
        "revision": found.revision,
        "schema_versions": list(found.schema_versions),
        "created": instant(timestamp_ns(found.created_at)),
        "first": instant(found.min_event_time_ns),
        "last": instant(found.max_event_time_ns),
        "naive_time_zone": found.naive_time_zone or None,
        "keep": None if keep is None else duration_text(keep.ToNanoseconds()),
        "keep_bytes": found.retention.max_bytes or None,
        "max_bytes": found.limits.max_bytes or None,
        "max_put_streams": found.limits.max_put_streams or None,
        "retained_from_revision": found.retained_from_revision or None,
        **tier_facts(found),
        "failure": found.failure or None,
    }


def tier_facts(found: dataset_pb2.Dataset) -> dict[str, object]:
    """Where the rows of a dataset live."""
    facts: dict[str, object] = {}
    for tier in found.tiers:
        facts[f"{tier.name}_rows"] = tier.row_count
        facts[f"{tier.name}_bytes"] = tier.size_bytes
    return facts
