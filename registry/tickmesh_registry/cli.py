"""`tickmesh registry`: serve, config, migrate, cache-stats."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tickmesh._cli.output import Output, output_option, print_rows
from tickmesh.errors import ConfigError
from tickmesh.registry import RegistryClient
from tickmesh_serving.command import service_command
from tickmesh_serving.config import home_directory, load_service_config
from tickmesh_serving.identifiers import RandomIds
from tickmesh_serving.running import EXIT_CONFIG

from .app import build_registry, open_store
from .config import RegistryConfig

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
    """Bring the store to this version's tables. `serve` does so too; the registry must be down."""
    home = home_directory(data)
    try:
        config, _ = load_service_config(RegistryConfig, section="registry", home=home, flags={})
        revision = asyncio.run(_migrate(config, home))
    except ConfigError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(EXIT_CONFIG)
    click.echo(f"the store is up to date and stands at revision {revision}")


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


async def _migrate(config: RegistryConfig, home: Path) -> int:
    store = open_store(config, home, RandomIds())
    await store.open()
    try:
        return (await store.head()).revision
    finally:
        await store.close()
