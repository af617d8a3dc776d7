"""Registries of a test's own: a process where its life matters, else one in this process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import grpc.aio
import pytest

from tests.support.registry_process import RegistryProcess
from tests.support.services import serving
from tickmesh.api.registry.v1.schema_registry_service_pb2_grpc import SchemaRegistryServiceStub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.registry_process import StartRegistry, Stub


@pytest.fixture
async def start_registry(tmp_path: Path) -> AsyncIterator[StartRegistry]:
    async with AsyncExitStack() as ends:

        async def start(
            *, home: Path | None = None, environment: dict[str, str] | None = None
        ) -> RegistryProcess:
            process = RegistryProcess(home or tmp_path, environment=environment)
            ends.push_async_callback(process.stop)
            await process.start()
            return process

        yield start


@pytest.fixture
async def registry(start_registry: StartRegistry) -> RegistryProcess:
    return await start_registry()


@pytest.fixture
async def process_stub(registry: RegistryProcess) -> AsyncIterator[Stub]:
    """Calls to `registry`."""
    async with registry.stub() as stub:
        yield stub


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[Stub]:
    """Calls to an empty registry that this process serves.

    It is the same server on a socket of its own, there in a thirtieth of the second that a process
    takes to import it: a hundred tests ask for one.
    """
    async with (
        serving("registry", tmp_path) as server,
        grpc.aio.insecure_channel(server.addresses["grpc"]) as channel,
    ):
        yield SchemaRegistryServiceStub(channel)
