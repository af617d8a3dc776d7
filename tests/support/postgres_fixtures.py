"""Fixtures over one PostgreSQL cluster for the whole run, made when a test first asks for it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.postgres import PostgresCluster
from tickmesh_registry.store.sql.postgres_maintenance import PostgresMaintenance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

_templates: dict[PostgresCluster, str] = {}


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresCluster]:
    """The cluster; its databases are the tests'."""
    cluster = PostgresCluster()
    try:
        cluster.create()
        yield cluster
    finally:
        cluster.destroy()


@asynccontextmanager
async def fresh_database(cluster: PostgresCluster) -> AsyncIterator[str]:
    """The URL of a database with an empty registry, a copy of one that was migrated once."""
    if cluster not in _templates:
        template = await cluster.create_database()
        await PostgresMaintenance(cluster.url(template), new_epoch=lambda: "epoch-1").migrate()
        _templates[cluster] = template
    name = await cluster.create_database(template=_templates[cluster])
    try:
        yield cluster.url(name)
    finally:
        await cluster.drop_database(name)


@pytest.fixture
async def registry_database(postgres: PostgresCluster) -> AsyncIterator[str]:
    """The URL of an empty registry's database."""
    async with fresh_database(postgres) as url:
        yield url
