"""What a settled segment says of itself in its footer: groups of rows, and the stamps of all rows.

Rows of a group are neighbours in the file. Stamps are kept in order of arrival, as runs, exactly as
recent segments keep them: settling changes no row's position.
"""

from __future__ import annotations

import base64
import json
from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tickmesh_tickstore.domain.stamps import Origin
from tickmesh_tickstore.engine.chunk import Runs
from tickmesh_tickstore.engine.messages import Messages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh_tickstore.engine.chunk import TimeSpan
    from tickmesh_tickstore.engine.stored_rows import StoredRows

__all__ = ["Group", "Outline", "Stamps", "stamps_of"]

_OUTLINE_KEY = "tickmesh.segment"
_STAMPS_KEY = "tickmesh.stamps"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that are written and read together: a row group of the file.

    Attributes:
        row_count: Its rows.
        byte_count: Bytes they take in memory.
        time_span: Least and greatest event time in ns, `None` without any.
        arrivals: The least place of a row in order of arrival, and the one behind the greatest;
            places count from the segment's first row.
        symbols: The symbols there are; `None` when there are too many to say.
    """

    row_count: int
    byte_count: int
    time_span: TimeSpan | None
    arrivals: tuple[int, int]
    symbols: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Stamps:
    """Stamps of a segment's rows in order of arrival.

    Attributes:
        first_row: Rows of the first revision which lie in segments before this one.
        runs: Dataset revisions and ingest times.
        messages: The producer messages the rows were sent in.
        origins: Who wrote the rows: rows up to the end of each one's.
    """

    first_row: int
    runs: Runs
    messages: Messages
    origins: tuple[tuple[int, Origin], ...]


def stamps_of(neighbours: Sequence[StoredRows]) -> Stamps:
    """The stamps of neighbours."""
    origins: list[tuple[int, Origin]] = []
    rows = 0
    for stored in neighbours:
        for end, origin in stored.origins():
            if origins and origins[-1][1] == origin:
                origins.pop()
            origins.append((rows + end, origin))
        rows += stored.row_count
    return Stamps(
        neighbours[0].first_row,
        Runs.joined([stored.runs for stored in neighbours]),
        Messages.joined([stored.messages for stored in neighbours]),
        tuple(origins),
    )


@dataclass(frozen=True, slots=True)
class Outline:
    """What is known of a settled segment's rows without reading them.

    Attributes:
        groups: Its row groups in the order of the file.
        stamps: The stamps of its rows.
        in_order: Whether the file is in order of arrival; else a column says where each row came.
    """

    groups: tuple[Group, ...]
    stamps: Stamps
    in_order: bool

    def to_metadata(self) -> dict[str, str]:
        """For the file's footer. As text: Parquet's key-value metadata are no bytes."""
        outline = {
            "format": _FORMAT,
            "in_order": self.in_order,
            "groups": [
                [
                    group.row_count,
                    group.byte_count,
                    group.time_span,
                    group.arrivals,
                    None if group.symbols is None else sorted(group.symbols),
                ]
                for group in self.groups
            ],
        }
        return {
            _OUTLINE_KEY: json.dumps(outline, separators=(",", ":")),
            _STAMPS_KEY: base64.b64encode(_pack(self.stamps)).decode(),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[bytes, bytes]) -> Outline:
        """Undo `to_metadata`.

        Raises:
            KeyError, ValueError: It is not what a settled segment says.
        """
        outline = json.loads(metadata[_OUTLINE_KEY.encode()])
        if outline["format"] != _FORMAT:
            raise ValueError(f"segments of format {outline['format']} are not known")
        groups = tuple(
            Group(
                rows,
                size,
                None if span is None else (span[0], span[1]),
                (arrivals[0], arrivals[1]),
                None if symbols is None else frozenset(symbols),
            )
            for rows, size, span, arrivals, symbols in outline["groups"]
        )
        rows = sum(group.row_count for group in groups)
        stamps = _unpack(base64.b64decode(metadata[_STAMPS_KEY.encode()]), rows=rows)
        return cls(groups, stamps, outline["in_order"])


def _pack(stamps: Stamps) -> bytes:
    runs, messages = stamps.runs, stamps.messages.pack()
    origins = [(end, origin.principal, origin.on_behalf_of) for end, origin in stamps.origins]
    names = json.dumps([stamps.first_row, len(runs.revisions), origins]).encode()
    plain = b"".join(
        (
            len(names).to_bytes(4, "little"),
            names,
            runs.revisions.tobytes(),
            runs.row_ends.tobytes(),
            runs.ingest_times.tobytes(),
            messages,
        )
    )
    packed: bytes = pa.compress(plain, codec="zstd", asbytes=True)
    return len(plain).to_bytes(8, "little") + packed


def _unpack(packed: bytes, *, rows: int) -> Stamps:
    size = int.from_bytes(packed[:8], "little")
    plain: bytes = pa.decompress(packed[8:], decompressed_size=size, codec="zstd", asbytes=True)
    at = 4 + int.from_bytes(plain[:4], "little")
    first_row, count, origins = json.loads(plain[4:at])
    columns: list[Any] = []
    for _ in range(3):
        values = array("q")
        values.frombytes(plain[at : at + 8 * count])
        columns.append(values)
        at += 8 * count
    return Stamps(
        first_row,
        Runs(*columns),
        Messages.unpack(plain[at:], rows=rows),
        tuple((end, Origin(principal, on_behalf)) for end, principal, on_behalf in origins),
    )
