"""Backup and restore as an operator does it, and what clients of the store before it hear."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import CommandLine
from tests.support.postgres_fixtures import fresh_database
from tests.support.registry_process import RegistryProcess
from tests.support.registry_schemas import TRADES, trades
from tickmesh.async_registry import AsyncRegistryClient
from tickmesh.errors import EpochChangedError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import PostgresCluster

pytestmark = pytest.mark.integration

URL = "TICKMESH_REGISTRY__STORE__URL"


async def test_w9_a_registry_moves_from_sqlite_to_postgresql_and_old_tokens_are_refused(
    tmp_path: Path, postgres: PostgresCluster
) -> None:
    file = tmp_path / "registry.backup"
    before = RegistryProcess(tmp_path / "before")
    await before.start()
    async with AsyncRegistryClient(before.address) as client:
        registration = await client.register("ticks.trades", TRADES, request_id="first")
        token = (await anext(client.watch(after_revision=0))).token
    # A backup is taken while the registry serves.
    command = CommandLine({}, tmp_path)
    taken = command.run("registry", "backup", file, "--data", before.home)
    assert (taken.code, taken.err) == (0, "")
    refused = command.run("registry", "restore", file, "--force", "--data", before.home)
    assert refused.code == 78
    assert "stop the other" in refused.err
    await before.stop()

    async with fresh_database(postgres) as url:
        environment = {URL: url}
        command = CommandLine({"TICKMESH_HOME": str(tmp_path / "after"), **environment}, tmp_path)
        restored = command.run("registry", "restore", file)
        assert (restored.code, restored.err) == (0, "")
        assert "1 versions" in restored.out
        after = RegistryProcess(tmp_path / "after", environment=environment)
        await after.start()
        async with AsyncRegistryClient(after.address) as client:
            with pytest.raises(EpochChangedError):
                async for _ in client.watch(after_token=token):
                    pass
            again = await client.register("ticks.trades", TRADES, request_id="first")
            assert again.revision == registration.revision
            assert again.schema.schema_id == registration.schema.schema_id
            assert await client.latest("ticks.trades") == registration.schema
            second = await client.register("ticks.trades", trades(venue={"type": "string"}))
            assert (second.schema.version, second.revision) == (2, 2)
        refused = command.run("registry", "restore", file, "--force")
        assert refused.code == 78
        assert "stop every replica" in refused.err
        await after.stop()


async def test_serving_postgresql_without_tables_names_the_command_and_no_password(
    tmp_path: Path, postgres: PostgresCluster
) -> None:
    name = await postgres.create_database()
    url = postgres.url(name)
    command = CommandLine({"TICKMESH_HOME": str(tmp_path / "home"), URL: url}, tmp_path)
    refused = command.run("registry", "serve", "--grpc-port", "0", "--http-port", "0")
    assert refused.code == 78
    assert "tickmesh registry migrate" in refused.err
    shown = command.run("registry", "config")
    assert f"postgresql://tickmesh:***@127.0.0.1:{postgres.port}/{name}" in shown.out
    for outcome in (refused, shown, command.run("registry", "migrate")):
        assert "tickmesh-tests" not in outcome.text
    process = RegistryProcess(tmp_path / "home", environment={URL: url})
    await process.start()
    assert await process.stop() == 0
    await postgres.drop_database(name)
