"""Brings a database to the tables of this version of the registry."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from tickmesh.errors import ConfigError

if TYPE_CHECKING:
    from sqlalchemy import Connection


def migrate(connection: Connection, *, epoch: str) -> None:
    """Runs every migration that is missing, inside the caller's transaction.

    Args:
        connection: A connection within a transaction.
        epoch: The store epoch a new database gets.

    Raises:
        ConfigError: The database was written by a newer version.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["epoch"] = epoch
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigError(
            "the database was written by a newer version of tickmesh; upgrade tickmesh"
        ) from error
