"""What every query comes to: the schema of its rows, and how they are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa

__all__ = ["PreparedQuery"]


@dataclass(frozen=True, slots=True)
class PreparedQuery:
    """A query that was checked and knows its snapshots.

    Attributes:
        schema: The schema of its rows.
        run: Begins it; the tables it gives are made as they are taken, and may be of any size.
    """

    schema: pa.Schema
    run: Callable[[], Iterator[pa.Table]]
