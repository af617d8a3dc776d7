"""Brings a database to the tables of this version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.util import CommandError

from tickmesh.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


def migrate(connection: Connection, *, scripts: Path, **attributes: object) -> None:
    """Run every migration that is missing, inside the caller's transaction.

    Args:
        connection: A connection within a transaction.
        scripts: The directory of the migrations.
        attributes: What the migrations ask for, by name.

    Raises:
        ConfigError: The database was written by a newer version.
    """
    config = Config()
    config.set_main_option("script_location", str(scripts))
    config.set_main_option("path_separator", "os")
    config.attributes.update(attributes, connection=connection)
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigError(
            "the database was written by a newer version of tickmesh; upgrade tickmesh"
        ) from error
