"""The verbs every service has on the command line: `serve` and `config`.

A room's `cli.py` is then:

    command = service_command(
        "registry", config_class=RegistryConfig, process_factory=build_process,
        help="The schema registry.",
    )
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from tickmesh.errors import ConfigError
from tickmesh_serving.config import (
    ServingConfig,
    describe_config,
    home_directory,
    load_service_config,
)
from tickmesh_serving.logging import configure_logging
from tickmesh_serving.running import EXIT_CONFIG, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh_serving.server import ServiceProcess


class ServiceConfig(Protocol):
    """A service's settings: a frozen dataclass that nests the settings of its server."""

    @property
    def serving(self) -> ServingConfig:
        """Where it listens."""
        ...


ConfigT = TypeVar("ConfigT", bound=ServiceConfig)


def service_command(
    section: str,
    *,
    config_class: type[ConfigT],
    process_factory: Callable[[ConfigT, Path], ServiceProcess],
    help: str,  # noqa: A002 - click's own word
) -> click.Group:
    """Return the group `tickmesh SECTION` with the verbs `serve` and `config`; add others to it.

    Args:
        section: the service's name, and the section of its settings.
        config_class: its settings; see `ServiceConfig`.
        process_factory: from settings and home to the process; called on the event loop.
        help: one sentence about the service.
    """
    group = click.Group(section, help=help)

    @group.command("serve", help=f"Run the {section} until Ctrl-C or SIGTERM.")
    @_data_option
    @click.option("--host", help="Address to listen on.")
    @click.option("--grpc-port", type=int, help="Port of gRPC; 0 takes any free one.")
    @click.option("--flight-port", type=int, help="Port of Arrow Flight; 0 takes any free one.")
    @click.option("--http-port", type=int, help="Port of health and metrics; 0 takes any free one.")
    @click.option(
        "--ready-file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write pid and addresses here once the service serves.",
    )
    @click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        help="The least severe lines to log.",
    )
    @click.option(
        "--log-format",
        type=click.Choice(["auto", "console", "json"]),
        help="How to log; `auto` is console on a terminal, else JSON.",
    )
    def serve(
        data: Path | None, log_level: str | None, log_format: str | None, **options: Any
    ) -> None:
        home = home_directory(data)
        flags = {f"serving.{name}": value for name, value in options.items()}
        flags |= {"serving.logging.level": log_level, "serving.logging.format": log_format}
        try:
            config, _ = load_service_config(config_class, section=section, home=home, flags=flags)
        except ConfigError as error:
            _exit_with(error)
        configure_logging(config.serving.logging, service=section)
        sys.exit(run(lambda: process_factory(config, home)))

    @group.command("config", help="Print every setting, its value and its source.")
    @_data_option
    @click.option(
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="A table for people, or JSON for programs.",
    )
    def show_config(data: Path | None, output: str) -> None:
        try:
            config, provenance = load_service_config(
                config_class, section=section, home=home_directory(data), flags={}
            )
        except ConfigError as error:
            _exit_with(error)
        settings = describe_config(config, provenance, section=section)
        if output == "json":
            click.echo(json.dumps([asdict(setting) for setting in settings], indent=2))
            return
        width = max(len(setting.key) for setting in settings)
        for setting in settings:
            click.echo(f"{setting.key:<{width}}  {setting.value or '-'}  ({setting.source})")

    return group


_data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Home of the mesh; $TICKMESH_HOME, else ~/.local/share/tickmesh.",
)


def _exit_with(error: ConfigError) -> None:
    click.echo(f"error: {error}", err=True)
    sys.exit(EXIT_CONFIG)
