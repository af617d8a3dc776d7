"""`tickmesh version`."""

from __future__ import annotations

import platform
from importlib.metadata import version as installed_version

import click

from tickmesh._cli.output import Output, output_option, print_facts


@click.command()
@output_option
def version(*, output: Output) -> None:
    """Print the versions of tickmesh and of what it stands on."""
    names = ("tickmesh", "pyarrow", "grpcio", "protobuf")
    facts: dict[str, object] = {name: installed_version(name) for name in names}
    print_facts(facts | {"python": platform.python_version()}, output=output)
