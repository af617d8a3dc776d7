"""How alembic runs: on the connection it is given, inside the transaction that is open."""

from typing import TYPE_CHECKING

from alembic import context
from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Names are compared by code points on every engine, whatever the database was made with.
_OTHER_COLLATIONS = text(
    "SELECT table_name, column_name FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND data_type = 'text'"
    " AND collation_name IS DISTINCT FROM 'C' AND table_name <> 'alembic_version'"
)


def _compare_by_code_points(connection: "Connection") -> None:
    for table, column in connection.execute(_OTHER_COLLATIONS).all():
        connection.exec_driver_sql(
            f'ALTER TABLE "{table}" ALTER COLUMN "{column}" TYPE text COLLATE "C"'
        )


_connection = context.config.attributes["connection"]
context.configure(connection=_connection, transactional_ddl=True)
context.run_migrations()
if _connection.dialect.name == "postgresql":
    _compare_by_code_points(_connection)
