"""`tickmesh ticks flush|compact`: what the store does by itself, done now."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from tickmesh._cli.output import Output, output_option, print_facts
from tickmesh._cli.ticks_datasets import tier_facts

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh.api.tickstore.v1 import dataset_pb2

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _timeout_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    return click.option(
        "--timeout",
        "timeout_seconds",
        type=click.FloatRange(min=0, min_open=True, max=600),
        default=30.0,
        show_default=True,
        help="Seconds to wait; it goes on in the background.",
    )(command)


@click.command()
@click.argument("dataset")
@_timeout_option
@output_option
def flush(*, dataset: str, timeout_seconds: float, output: Output) -> None:
    """Move all rows of DATASET out of the log into segments."""
    from tickmesh.ticks import TickClient

    with TickClient() as client:
        print_facts(_facts(client.flush(dataset, timeout_seconds=timeout_seconds)), output=output)


@click.command()
@click.argument("dataset")
@_timeout_option
@output_option
def compact(*, dataset: str, timeout_seconds: float, output: Output) -> None:
    """Bring all rows of DATASET into settled segments."""
    from tickmesh.ticks import TickClient

    with TickClient() as client:
        print_facts(_facts(client.compact(dataset, timeout_seconds=timeout_seconds)), output=output)


def _facts(dataset: dataset_pb2.Dataset) -> dict[str, object]:
    return {"dataset": dataset.name, "rows": dataset.row_count, **tier_facts(dataset)}
