"""The databases the configuration names. Addresses and credentials stay in here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

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
        self._databases = databases

    def database(self, name: str) -> Database:
        """The database of a name; nothing is connected yet.

        Raises:
            ConnectionNotFoundError: The configuration names none so.
        """
        config = self._databases.get(name)
        if config is None:
            raise ConnectionNotFoundError(name)
        if make_url(config.url.reveal()).get_backend_name() == "sqlite":
            return SqliteDatabase(name, config)
        return PostgresDatabase(name, config)
