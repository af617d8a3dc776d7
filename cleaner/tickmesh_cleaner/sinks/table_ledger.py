"""What a database knows of who wrote to a table: two tables beside it, in the same schema.

`tickmesh_producers` has the epoch open for each producer and its last batch; `tickmesh_batches` has
a line for every batch. Both change in the transaction that writes the rows.
"""

# Names in the statements are quoted, values are parameters.
# ruff: noqa: S608

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tickmesh_cleaner.databases.engine import quoted
from tickmesh_cleaner.sinks.stamps import SEQUENCE

if TYPE_CHECKING:
    from tickmesh_cleaner.databases.engine import Database, DatabaseSession, TableName

PRODUCERS: Final = "tickmesh_producers"
BATCHES: Final = "tickmesh_batches"

PRODUCER_KEY: Final = "_producer_key"
"""Which producer wrote a row: its number in `tickmesh_producers`."""


@dataclass(frozen=True, slots=True)
class ProducerLine:
    """A producer's line: its number, the epoch open for it and the last batch held of it."""

    key: int
    epoch: int
    last_n: int


class TableLedger:
    """Reads and writes both tables within the transactions of a session."""

    def __init__(self, database: Database, table: TableName) -> None:
        self._database = database
        self._table = table
        self._producers = table.sibling(PRODUCERS)
        self._batches = table.sibling(BATCHES).sql()

    def make(self, session: DatabaseSession) -> None:
        """Make both tables unless they are there."""
        session.hold(f"tickmesh {self._producers.sql()}")
        session.execute(
            f"CREATE TABLE IF NOT EXISTS {self._producers.sql()} "
            f"(key {self._database.identity_column}, producer_id text NOT NULL UNIQUE, "
            "epoch bigint NOT NULL, last_n bigint NOT NULL)"
        )
        session.execute(
            f"CREATE TABLE IF NOT EXISTS {self._batches} (producer_key bigint NOT NULL, "
            "n bigint NOT NULL, epoch bigint NOT NULL, schema_version integer NOT NULL, "
            "row_count bigint NOT NULL, source_start text NOT NULL, source_end text NOT NULL, "
            "PRIMARY KEY (producer_key, n))"
        )

    def open_epoch(self, session: DatabaseSession, producer_id: str) -> ProducerLine:
        """Open a producer's next epoch."""
        session.execute(
            f"INSERT INTO {self._producers.sql()} (producer_id, epoch, last_n) VALUES (?, 1, 0) "
            f"ON CONFLICT (producer_id) DO UPDATE SET epoch = {quoted(PRODUCERS)}.epoch + 1",
            (producer_id,),
        )
        return self.hold(session, producer_id)

    def hold(self, session: DatabaseSession, producer_id: str) -> ProducerLine:
        """A producer's line, kept from others until the transaction ends."""
        ((key, epoch, last_n),) = session.query(
            f"SELECT key, epoch, last_n FROM {self._producers.sql()} WHERE producer_id = ?"
            f"{self._database.row_lock}",
            (producer_id,),
        )
        return ProducerLine(key, epoch, last_n)

    def record(
        self,
        session: DatabaseSession,
        producer: ProducerLine,
        *,
        n: int,
        schema_version: int,
        row_count: int,
        start: str,
        end: str,
    ) -> None:
        """Say that batch n is held."""
        session.execute(
            f"INSERT INTO {self._batches} (producer_key, n, epoch, schema_version, row_count, "
            "source_start, source_end) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (producer.key, n, producer.epoch, schema_version, row_count, start, end),
        )
        session.execute(
            f"UPDATE {self._producers.sql()} SET last_n = ? WHERE key = ?", (n, producer.key)
        )

    def rows_by_sequence(self, session: DatabaseSession, producer_id: str) -> Counter[int]:
        """A producer's rows in the table itself, by the batch they came in."""
        if not (session.columns(self._table) and session.columns(self._producers)):
            return Counter()
        found = session.query(
            f"SELECT {quoted(SEQUENCE)}, count(*) FROM {self._table.sql()} "
            f"WHERE {quoted(PRODUCER_KEY)} = (SELECT key FROM {self._producers.sql()} "
            f"WHERE producer_id = ?) GROUP BY {quoted(SEQUENCE)}",
            (producer_id,),
        )
        return Counter(dict(found))
