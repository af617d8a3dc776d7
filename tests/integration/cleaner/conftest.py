"""A whole mesh of real processes for the cleaner's tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tickmesh.cleaning import CleanerClient
from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Services:
    """A mesh that runs, and clients of its three services."""

    mesh: Mesh
    registry: RegistryClient
    cleaner: CleanerClient
    ticks: TickClient
    source_root: Path


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home = tmp_path_factory.mktemp("home")
    root = tmp_path_factory.mktemp("sources")
    with Mesh(home, free_ports=True, settings={"cleaner.sources.roots": str(root)}) as mesh:
        config = load_client_config(home=home, environ=mesh.client_environment)
        with (
            RegistryClient(config.registry) as registry,
            CleanerClient(config=config) as cleaner,
            TickClient(config=config) as ticks,
        ):
            yield Services(mesh, registry, cleaner, ticks, root)
