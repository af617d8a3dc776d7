"""`tickmesh registry`: serve, config, migrate, backup, restore, cache-stats."""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tickmesh._cli.output import Output, output_option, print_rows
from tickmesh.errors import ConfigError, UnavailableError
from tickmesh.registry import RegistryClient
from tickmesh_serving.command import service_command
from tickmesh_serving.config import home_directory, load_service_config
from tickmesh_serving.identifiers import RandomIds

from .app import build_registry, maintenance_of
from .config import RegistryConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh_serving.server import ServiceProcess

    from .store.sql.maintenance import Maintenance


# Python lets a computing thread go on for 5 ms by default before the event loop gets its turn:
# comparing schemas in a thread would delay every watcher by that much.
_SWITCH_SECONDS = 0.0005


def _process(config: RegistryConfig, home: Path) -> ServiceProcess:
    sys.setswitchinterval(_SWITCH_SECONDS)
    return build_registry(config, home=home)


command = service_command(
    "registry",
    config_class=RegistryConfig,
    process_factory=_process,
    help="The schema registry: versions, compatibility, and a stream of changes.",
)


_data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Home of the mesh; $TICKMESH_HOME, else ~/.local/share/tickmesh.",
)
_file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@command.command("migrate")
@_data_option
def migrate(data: Path | None) -> None:
    """Bring the store to this version's tables.

    On SQLite `serve` does so too, and the registry must be down. On PostgreSQL only this command
    does, before the first replica of a new version starts.
    """
    with _maintenance(data) as maintenance:
        revision = asyncio.run(maintenance.migrate())
        click.echo(f"the store is up to date and stands at revision {revision}")


@command.command("backup")
@_file_argument
@_data_option
def backup(file: Path, data: Path | None) -> None:
    """Write the whole store into a new file, while it serves.

    FILE is the same for every engine: a store moves from SQLite to PostgreSQL by a backup of the
    one and a restore into the other.
    """
    with _maintenance(data) as maintenance:
        content = asyncio.run(maintenance.backup(file))
        click.echo(f"{file}: {content.versions} versions, at revision {content.revision}")


@command.command("restore")
@_file_argument
@click.option("--force", is_flag=True, help="Replace what the store holds.")
@_data_option
def restore(file: Path, data: Path | None, *, force: bool) -> None:
    """Put a backup back, while no registry serves the store.

    FILE may come from any engine. The store gets another epoch: clients that followed the one
    before start again with a snapshot.
    """
    with _maintenance(data) as maintenance:
        content = asyncio.run(maintenance.restore(file, replace=force))
        click.echo(
            f"restored {content.versions} versions; the store stands at revision "
            f"{content.revision}, in the new epoch {content.epoch}"
        )


@contextmanager
def _maintenance(data: Path | None) -> Iterator[Maintenance]:
    """What can be done to the store of the settings; a failure ends with its exit code."""
    home = home_directory(data)
    try:
        config, _ = load_service_config(RegistryConfig, section="registry", home=home, flags={})
        yield maintenance_of(config, home, RandomIds())
    except (ConfigError, UnavailableError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)


@command.command("cache-stats")
@output_option
def cache_stats(*, output: Output) -> None:
    """Show the hits and misses of a running registry's caches.

    The nearest tier comes first; `redis` is there when it is configured.
    """
    with RegistryClient() as client:
        tiers = [asdict(tier) for tier in client.server_cache_tiers()]
    columns = ["name", "hits", "misses", "evictions", "entries", "bytes", "max_bytes", "errors"]
    print_rows(tiers, columns=columns, output=output)
