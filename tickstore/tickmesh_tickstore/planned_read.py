"""What planning a read or a query answers: where it goes is decided, nothing is read yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class PlannedRead:
    """A read or query pinned to one snapshot of every dataset it reads.

    Attributes:
        schema: The rows' schema.
        dataset_revision: The snapshot of a read; 0 for a query, which may read several datasets.
        tickets: Signed tickets of disjoint parts, in order.
        expires_at_ns: When they expire, nanoseconds since the epoch.
        rows: Rows of the answer, where that is known without reading; None under filters.
    """

    schema: pa.Schema
    dataset_revision: int
    tickets: tuple[bytes, ...]
    expires_at_ns: int
    rows: int | None
