"""A registry and a tick store as real processes."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest
from pyarrow import flight

from tests.support.governed_ticks import trades_schema
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tickmesh_serving.mesh import Mesh


@pytest.fixture(scope="session")
def mesh(shared_mesh: Mesh) -> Mesh:
    return shared_mesh


@pytest.fixture(scope="session")
def registry(mesh: Mesh) -> Iterator[RegistryClient]:
    with RegistryClient(mesh.addresses["registry"]["grpc"]) as client:
        yield client


@pytest.fixture(scope="session")
def flight_address(mesh: Mesh) -> str:
    return mesh.addresses["tickstore"]["flight"]


@pytest.fixture
def plain(flight_address: str) -> Iterator[flight.FlightClient]:
    """A client that knows nothing of the mesh."""
    with flight.connect(f"grpc://{flight_address}") as client:
        yield client


@pytest.fixture
def ticks(mesh: Mesh, flight_address: str) -> Iterator[TickClient]:
    with TickClient(mesh.addresses["tickstore"]["grpc"], flight_address=flight_address) as client:
        yield client


@pytest.fixture
def subject(registry: RegistryClient) -> str:
    """A freshly registered subject of trades."""
    name = f"ticks.trades_{uuid.uuid4().hex[:8]}"
    registry.register(name, trades_schema())
    return name
