"""`tickmesh config`: what is set, and where it was set."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tickmesh._cli.output import Output, output_option, print_rows
from tickmesh.config import CONFIG_FILE_NAME, ClientConfig, home_directory
from tickmesh.settings import describe_config, load_config

if TYPE_CHECKING:
    from collections.abc import Iterator


@click.group()
def config() -> None:
    """Show the settings in effect."""


@config.command()
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Home of the mesh; $TICKMESH_HOME, else ~/.local/share/tickmesh.",
)
@output_option
def show(*, data: Path | None, output: Output) -> None:
    """Print every setting, its value and its source; secrets are redacted.

    Sources, the last one wins: default, file, environment, flag.
    """
    home = home_directory(data)
    rows = []
    for section, config_class in sections():
        loaded, provenance = load_config(
            config_class,
            section=section,
            toml=home / CONFIG_FILE_NAME,
            environ=os.environ,
            flags={},
        )
        for setting in describe_config(loaded, provenance, section=section):
            row = {"key": setting.key, "value": setting.value, "source": setting.source}
            rows.append(row)
    if output is Output.TABLE:
        file = home / CONFIG_FILE_NAME
        click.echo(f"file: {file}" + ("" if file.exists() else " (not there)"))
    print_rows(rows, columns=["key", "value", "source"], output=output)


def sections() -> Iterator[tuple[str, type[object]]]:
    """The client's section and those of the servers that are installed."""
    yield "client", ClientConfig
    for plugin in sorted(entry_points(group="tickmesh.config"), key=lambda entry: entry.name):
        try:
            yield plugin.name, plugin.load()
        except ModuleNotFoundError:
            continue  # a server whose extra is not installed has no settings to show
