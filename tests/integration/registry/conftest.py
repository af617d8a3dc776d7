from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.registry_process import RegistryProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.registry_process import Stub


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[RegistryProcess]:
    process = RegistryProcess(tmp_path)
    await process.start()
    yield process
    await process.stop()


@pytest.fixture
async def stub(registry: RegistryProcess) -> AsyncIterator[Stub]:
    async with registry.stub() as stub:
        yield stub
