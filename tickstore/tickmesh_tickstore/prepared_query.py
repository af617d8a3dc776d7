"""What a kind of query is to the rest of the server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa
    from google.protobuf.message import Message

    from tickmesh_tickstore.pinned_reads import PinnedReads

__all__ = ["PreparedQuery", "QueryHandler"]


@dataclass(frozen=True, slots=True)
class PreparedQuery:
    """A query that was checked and knows its snapshots.

    Attributes:
        schema: The schema of its rows.
        run: Begins it; the tables it gives are made as they are taken, and may be of any size.
    """

    schema: pa.Schema
    run: Callable[[], Iterator[pa.Table]]


@dataclass(frozen=True, slots=True)
class QueryHandler:
    """One kind of query.

    Attributes:
        command: The message that asks for it.
        prepare: Checks such a message and opens what it reads; raises what is wrong with it.
    """

    command: type[Message]
    prepare: Callable[[PinnedReads, Any], PreparedQuery]
