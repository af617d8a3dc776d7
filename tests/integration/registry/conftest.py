from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.registry_process import RegistryProcess

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
async def stub(registry: RegistryProcess) -> AsyncIterator[Stub]:
    async with registry.stub() as stub:
        yield stub
