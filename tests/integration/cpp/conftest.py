"""What the programs in clients/cpp/tests meet: real servers, found by variables TICKMESH_TEST_…."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.cpp.faulty_mesh import FaultyMesh
from tests.support.certificates import write_certificates
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class _MeshInUse:
    """One mesh for many cases; a case that killed a server leaves a new one to the next."""

    def __init__(self, start: Callable[[], FaultyMesh]) -> None:
        self._start = start
        self._running: FaultyMesh | None = None

    def sound(self) -> FaultyMesh:
        if self._running is not None and self._running.killed:
            self.stop()
        if self._running is None:
            mesh = self._start()
            mesh.__enter__()
            self._running = mesh
        self._running.heal()
        return self._running

    def stop(self) -> None:
        if self._running is not None:
            running, self._running = self._running, None
            running.__exit__()


@pytest.fixture(scope="module")
def mesh_in_use(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_MeshInUse]:
    mesh = _MeshInUse(lambda: FaultyMesh(tmp_path_factory.mktemp("mesh")))
    yield mesh
    mesh.stop()


@pytest.fixture
def servers(mesh_in_use: _MeshInUse) -> Mapping[str, str]:
    """Where a registry and a tick store are, and how their wires are broken."""
    return mesh_in_use.sound().environment


@pytest.fixture(scope="module")
def tls_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Where a registry and a tick store are that want certificates, and certificates."""
    files = write_certificates(tmp_path_factory.mktemp("certificates"))
    home = tmp_path_factory.mktemp("tls")
    services = ("registry", "tickstore")
    wanted = {"certificate": "server.pem", "private_key": "server.key", "client_roots": "ca.pem"}
    settings = {
        f"{service}.serving.tls.{key}": str(files / name)
        for service in services
        for key, name in wanted.items()
    }
    client = {
        "ROOT_CERTIFICATES": str(files / "ca.pem"),
        "CERTIFICATE": str(files / "client.pem"),
        "PRIVATE_KEY": str(files / "client.key"),
    }
    server = {
        "SERVER_CERTIFICATE": str(files / "server.pem"),
        "SERVER_PRIVATE_KEY": str(files / "server.key"),
    }
    (home / "tickmesh.toml").write_text(
        "[client.tls]\n" + "".join(f'{key.lower()} = "{path}"\n' for key, path in client.items()),
        encoding="utf-8",
    )
    with Mesh(home, services=services, settings=settings, free_ports=True) as mesh:
        yield {
            "TICKMESH_TEST_REGISTRY": mesh.addresses["registry"]["grpc"],
            "TICKMESH_TEST_TICKSTORE": mesh.addresses["tickstore"]["grpc"],
            "TICKMESH_TEST_TICKSTORE_FLIGHT": mesh.addresses["tickstore"]["flight"],
            **{f"TICKMESH_TEST_TLS_{key}": path for key, path in (client | server).items()},
        }
