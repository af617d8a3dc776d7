"""The databases the configuration names. Addresses and credentials stay in here."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from tickmesh.errors import ConfigError
from tickmesh_cleaner.databases.postgres import PostgresDatabase
from tickmesh_cleaner.databases.sqlite import SqliteDatabase
from tickmesh_cleaner.domain.errors import ConnectionNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickmesh_cleaner.config import DatabaseConfig
    from tickmesh_cleaner.databases.engine import Database


class Connections:
    """Finds configured databases by name."""

    def __init__(self, databases: Mapping[str, DatabaseConfig]) -> None:
        """Take the configured ones; nothing is connected.

        Raises:
            ConfigError: The driver of one is not installed.
        """
        self._databases = databases
        on_postgresql = [name for name, config in databases.items() if not _is_sqlite(config)]
        if on_postgresql and importlib.util.find_spec("adbc_driver_postgresql") is None:
            raise ConfigError(
                "PostgreSQL needs a driver: pip install 'tickmesh[server,postgres]'",
                key=f"cleaner.databases.{on_postgresql[0]}.url",
            )

    def database(self, name: str) -> Database:
        """The database of a name; nothing is connected yet.

        Raises:
            ConnectionNotFoundError: The configuration names none so.
        """
        config = self._databases.get(name)
        if config is None:
            raise ConnectionNotFoundError(name)
        if _is_sqlite(config):
            return SqliteDatabase(name, config)
        return PostgresDatabase(name, config)


def _is_sqlite(config: DatabaseConfig) -> bool:
    return make_url(config.url.reveal()).get_backend_name() == "sqlite"
