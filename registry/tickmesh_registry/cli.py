"""`tickmesh registry`: serve, config, migrate."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tickmesh.errors import ConfigError
from tickmesh_serving.command import service_command
from tickmesh_serving.config import home_directory, load_service_config
from tickmesh_serving.identifiers import RandomIds
from tickmesh_serving.running import EXIT_CONFIG

from .app import build_registry, open_postgres, open_store
from .config import RegistryConfig, StoreEngine

if TYPE_CHECKING:
    from tickmesh_serving.server import ServiceProcess


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


@command.command("migrate")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Home of the mesh; $TICKMESH_HOME, else ~/.local/share/tickmesh.",
)
def migrate(data: Path | None) -> None:
    """Bring the store to this version's tables.

    On SQLite `serve` does so too, and the registry must be down. On PostgreSQL only this command
    does, before the first replica of a new version starts.
    """
    home = home_directory(data)
    try:
        config, _ = load_service_config(RegistryConfig, section="registry", home=home, flags={})
        revision = asyncio.run(_migrate(config, home))
    except ConfigError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_CONFIG)
    click.echo(f"the store is up to date and stands at revision {revision}")


async def _migrate(config: RegistryConfig, home: Path) -> int:
    if config.store.engine is StoreEngine.POSTGRESQL:
        return await open_postgres(config.store, RandomIds()).migrate()
    store = open_store(config, home, RandomIds())
    await store.open()
    try:
        return (await store.head()).revision
    finally:
        await store.close()
