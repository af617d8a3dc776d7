"""What sinks and sources need of a database, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa


class DatabaseAwayError(Exception):
    """The database does not answer, was restarted, or has no room for now: worth another try."""


class DatabaseRefusedError(Exception):
    """The database refuses a statement or a value, and will again.

    Attributes:
        message: What it says, without statement and values.
        code: Its own code of the failure: the SQLSTATE, or SQLite's name; empty when it has none.
    """

    def __init__(self, message: str, *, code: str = "") -> None:
        super().__init__(f"{code}: {message}" if code else message)
        self.message = message
        self.code = code


class UnheldTypeError(Exception):
    """No column of this database holds the values of an Arrow column exactly.

    Attributes:
        message: Which column, why, and what to do.
        column: The column.
    """

    def __init__(self, message: str, *, column: str) -> None:
        super().__init__(message)
        self.message = message
        self.column = column


@dataclass(frozen=True, slots=True)
class TableName:
    """A table, in a schema of the database when one is named."""

    name: str
    schema: str = ""

    def sql(self) -> str:
        """The quoted name."""
        parts = [self.schema, self.name] if self.schema else [self.name]
        return ".".join(quoted(part) for part in parts)

    def sibling(self, name: str) -> TableName:
        """Another table in the same schema."""
        return TableName(name, schema=self.schema)


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever it holds."""
    return '"' + name.replace('"', '""') + '"'


class TableTypes(Protocol):
    """Which columns hold Arrow values exactly. `ns` names what is below the microsecond."""

    def columns(self, schema: pa.Schema) -> Mapping[str, str]:
        """The columns rows of this schema become, with their SQL types, in order.

        Raises:
            UnheldTypeError: A column cannot be held.
        """
        ...

    def encode(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """The rows as those columns.

        Raises:
            UnheldTypeError: A value cannot be held.
        """
        ...

    def alike(self, there: str, wanted: str) -> bool:
        """Whether a column of one SQL type holds what one of the other does, unchanged."""
        ...


class DatabaseSession(Protocol):
    """One connection; a transaction begins with the first statement after a commit or rollback.

    Every method raises DatabaseAwayError or DatabaseRefusedError. Parameters are `?` in the text,
    except in that of `stream`, which may be anybody's: see `Database.literal`.
    """

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        """Carry out a statement without an answer."""
        ...

    def query(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """The rows of a small answer."""
        ...

    def stream(self, statement: str, parameters: Sequence[object] = ()) -> Iterator[pa.RecordBatch]:
        """An answer of any size in batches of bounded memory; at least one batch, maybe empty."""
        ...

    def insert(self, table: TableName, rows: pa.RecordBatch) -> None:
        """Add encoded rows to a table."""
        ...

    def columns(self, table: TableName) -> dict[str, str]:
        """The columns of a table with their SQL types; empty when there is no such table."""
        ...

    def hold(self, name: str) -> None:
        """Keep other sessions that hold the same name waiting until this transaction ends."""
        ...

    def begin_reading(self) -> None:
        """Begin a transaction that sees one state of the data and cannot change it."""
        ...

    def commit(self) -> None:
        """End the transaction; what it did is durable."""
        ...

    def rollback(self) -> None:
        """End the transaction without effect; says nothing when the connection is gone."""
        ...

    def close(self) -> None:
        """End the connection."""
        ...


class Database(Protocol):
    """One configured database."""

    name: str
    """Its name in the configuration."""
    types: TableTypes
    """How its tables hold Arrow columns."""
    identity_column: str
    """The SQL type of a column that numbers rows by itself."""
    row_lock: str
    """What a SELECT ends with to keep its row from others; empty where writers are alone anyway."""

    def literal(self, field: pa.Field[Any], value: pa.Scalar[Any], n: int) -> tuple[str, object]:
        """A value of an answer's column as SQL takes it back: parameter n, and its value.

        Raises:
            DatabaseRefusedError: Values of this type are not compared.
        """
        ...

    def connect(self) -> DatabaseSession:
        """Open a connection.

        Raises:
            DatabaseAwayError: It does not answer.
        """
        ...
