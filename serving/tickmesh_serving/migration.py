"""Brings a database to the tables of this version."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from tickmesh.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


class TableState(enum.Enum):
    """How the tables of a database stand to the ones of this version."""

    MISSING = "missing"
    OLDER = "older"
    CURRENT = "current"
    NEWER = "newer"


def table_state(connection: Connection, *, scripts: Path) -> TableState:
    """Compare the tables of a database with this version's, without changing anything.

    Args:
        connection: A connection.
        scripts: The directory of the migrations.
    """
    found = MigrationContext.configure(connection).get_current_revision()
    known = ScriptDirectory(str(scripts))
    if found is None:
        return TableState.MISSING
    if found == known.get_current_head():
        return TableState.CURRENT
    steps = {script.revision for script in known.walk_revisions()}
    return TableState.OLDER if found in steps else TableState.NEWER


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
