"""`tickmesh tickstore`: serve, config."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_serving.command import service_command
from tickmesh_tickstore.allocation import keep_freed_memory
from tickmesh_tickstore.app import build_tick_store
from tickmesh_tickstore.config import TickStoreConfig

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh_serving.server import ServiceProcess


def _process(config: TickStoreConfig, home: Path) -> ServiceProcess:
    keep_freed_memory()
    return build_tick_store(config, home=home)


command = service_command(
    "tickstore",
    config_class=TickStoreConfig,
    process_factory=_process,
    help="The tick store: governed, durable rows over Arrow Flight.",
)
