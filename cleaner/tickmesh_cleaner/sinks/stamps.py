"""What a sink adds to every row: where it came from, under the names the tick store has for it."""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

from tickmesh_cleaner.domain.errors import InvalidSinkError

SCHEMA_VERSION: Final = "_schema_version"
"""The version a row was judged under."""

PRODUCER_ID: Final = "_producer_id"
"""The producer it was written by."""

SEQUENCE: Final = "_sequence"
"""The number of its batch."""


def check_names(names: list[str], *, added: tuple[str, ...]) -> None:
    """Refuse columns that are named like those a sink adds.

    Raises:
        InvalidSinkError: One is.
    """
    for name in added:
        if name in names:
            raise InvalidSinkError(
                f"the schema has a column {name!r}, which this sink adds itself; rename the "
                "field, or send the rows to the tick store",
                column=name,
            )


def constant(value: object, kind: pa.DataType, length: int) -> pa.Array[Any]:
    """A column that holds one value throughout."""
    filled: Any = pa.scalar(value, kind)  # the stubs list kinds of scalars one by one
    column: pa.Array[Any] = pa.repeat(filled, length)
    return column
