"""The three services inside this process, one at a time, on free ports."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from tickmesh_cleaner.app import build_cleaner
from tickmesh_cleaner.config import CleanerConfig
from tickmesh_registry.app import build_registry
from tickmesh_registry.config import RegistryConfig
from tickmesh_serving.config import ServingConfig
from tickmesh_serving.permissions import Grants, everyone
from tickmesh_tickstore.app import build_tick_store
from tickmesh_tickstore.config import TickStoreConfig

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tickmesh_serving.clock import Clock
    from tickmesh_serving.server import ServiceProcess
    from tickmesh_serving.tracing import Tracing

SERVICE_NAMES = {
    "registry": "tickmesh.api.registry.v1.SchemaRegistryService",
    "cleaner": "tickmesh.api.cleaner.v1.CleanerService",
    "tickstore": "tickmesh.api.tickstore.v1.TickStoreService",
}
"""By process: the gRPC service of the contract that it serves."""

WITH_FLIGHT = ("cleaner", "tickstore")

_SERVING = ServingConfig(drain_seconds=2.0)


def build_service(
    name: str,
    home: Path,
    *,
    registry: str = "",
    grants: Grants = everyone,
    clock: Clock | None = None,
    tracing: Tracing | None = None,
) -> ServiceProcess:
    """Put a service together; start and stop it yourself.

    Args:
        name: which one.
        home: the mesh's home.
        registry: where the tick store finds the registry.
        grants: who holds which permission.
        clock: the machine's by default.
        tracing: off by default.
    """
    if name == "registry":
        return build_registry(
            replace(RegistryConfig(), serving=_SERVING),
            home=home,
            grants=grants,
            clock=clock,
            tracing=tracing,
        )
    if name == "cleaner":
        return build_cleaner(
            replace(CleanerConfig(), serving=_SERVING),
            home,
            grants=grants,
            clock=clock,
            tracing=tracing,
        )
    return build_tick_store(
        replace(TickStoreConfig(), serving=_SERVING, registry=registry),
        home=home,
        grants=grants,
        clock=clock,
        tracing=tracing,
    )


@asynccontextmanager
async def serving(
    name: str,
    home: Path,
    *,
    registry: str = "",
    grants: Grants = everyone,
    clock: Clock | None = None,
    tracing: Tracing | None = None,
) -> AsyncIterator[ServiceProcess]:
    """Serve while the block runs; arguments as for `build_service`."""
    process = build_service(
        name, home, registry=registry, grants=grants, clock=clock, tracing=tracing
    )
    await process.start()
    try:
        yield process
    finally:
        await process.stop()
