"""The cluster a store lives in; on PostgreSQL, a hint to the other processes with every move."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

# A hint, never the truth: whoever hears it reads the log. It leaves with the commit.
_FUNCTION = """
CREATE FUNCTION registry_clock_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('tickmesh_registry', NEW.epoch || ':' || NEW.revision);
    RETURN NULL;
END
$$
"""
_TRIGGER = """
CREATE TRIGGER registry_clock_moved AFTER UPDATE ON registry_clock
FOR EACH ROW EXECUTE FUNCTION registry_clock_moved()
"""


def upgrade() -> None:
    """Add the column; on PostgreSQL also the trigger, and room for the busiest row's versions."""
    op.add_column(
        "registry_clock", sa.Column("cluster", sa.Text, nullable=False, server_default="")
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE registry_clock SET (fillfactor = 10)")
        op.execute(_FUNCTION)
        op.execute(_TRIGGER)
