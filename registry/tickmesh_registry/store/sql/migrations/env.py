"""How alembic runs: on the connection it is given, inside the transaction that is open."""

from __future__ import annotations

from alembic import context

from tickmesh_registry.store.sql.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
context.run_migrations()
