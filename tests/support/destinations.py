"""Places beside the tick store that a cleaner's good rows go to, and how a test reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import adbc_driver_postgresql.dbapi
import pyarrow as pa
import pyarrow.dataset
import sqlalchemy

if TYPE_CHECKING:
    from pathlib import Path


def lake_rows(directory: Path, *columns: str) -> pa.Table:
    """The rows of a dataset in the order they were sent, partitions as they are inferred."""
    dataset = pa.dataset.dataset(directory, partitioning="hive")
    table = dataset.to_table(columns=[*columns, "_sequence"])
    return table.sort_by("_sequence").drop_columns("_sequence")


def table_rows(url: str, table: str, *columns: str) -> list[tuple[object, ...]]:
    """The rows of a table, sorted."""
    statement = f"SELECT {', '.join(columns)} FROM {table}"
    if url.startswith("sqlite"):
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            return sorted(tuple(row) for row in connection.exec_driver_sql(statement))
    with adbc_driver_postgresql.dbapi.connect(url) as session, session.cursor() as cursor:
        cursor.execute(statement)
        return sorted(cursor.fetchall())
