"""A whole mesh of real processes for the cleaner's tests."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.integration.cleaner.feeds import TOKEN
from tests.support.feed_server import FeedServer
from tickmesh.cleaning import CleanerClient
from tickmesh.config import load_client_config
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@dataclass(frozen=True)
class Services:
    """A mesh that runs, and clients of its three services."""

    mesh: Mesh
    registry: RegistryClient
    cleaner: CleanerClient
    ticks: TickClient
    source_root: Path


def clients_of(mesh: Mesh, root: Path) -> Iterator[Services]:
    """A mesh and its clients, for as long as a test wants them."""
    config = load_client_config(home=mesh.home, environ=mesh.client_environment)
    with (
        RegistryClient(config.registry) as registry,
        CleanerClient(config=config) as cleaner,
        TickClient(config=config) as ticks,
    ):
        yield Services(mesh, registry, cleaner, ticks, root)


def running(home: Path, root: Path, settings: Mapping[str, str]) -> Iterator[Services]:
    """A mesh of its own and its clients."""
    with Mesh(home, free_ports=True, settings=settings) as mesh:
        yield from clients_of(mesh, root)


@pytest.fixture(scope="session")
def services(shared_mesh: Mesh) -> Iterator[Services]:
    root = shared_mesh.home / "sources" / "cleaner"
    root.mkdir()
    yield from clients_of(shared_mesh, root)


@pytest.fixture(scope="module")
def services_to_kill(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A mesh of a module's own: one gives up on a service that dies too often."""
    home = tmp_path_factory.mktemp("home")
    root = tmp_path_factory.mktemp("sources")
    yield from running(home, root, {"cleaner.sources.roots": str(root)})


@pytest.fixture(scope="module")
def feed_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A mesh whose cleaner may read feeds of this machine."""
    home = tmp_path_factory.mktemp("home")
    settings = {
        "cleaner.sources.hosts": "127.0.0.1:*",
        "cleaner.feeds.headers.127.0.0.1": f"Authorization: {TOKEN}",
        "cleaner.feeds.max_answer_bytes": "200000",
    }
    yield from running(home, home, settings)


@pytest.fixture
def feed() -> Iterator[FeedServer]:
    with FeedServer() as server:
        yield server


@pytest.fixture
def subject() -> str:
    return f"ticks.s{uuid.uuid4().hex[:8]}"
