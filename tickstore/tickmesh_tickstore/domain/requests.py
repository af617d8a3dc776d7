"""What a reader may ask, and how a planned part of an answer travels as opaque bytes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import NewType

from tickmesh_tickstore.domain.errors import InvalidArgumentError
from tickmesh_tickstore.domain.filters import Filter, filter_from_json, filter_to_json
from tickmesh_tickstore.domain.positions import Position

__all__ = [
    "POSITION_COLUMN",
    "Order",
    "PlannedRange",
    "RangePayload",
    "ScanRequest",
    "StampColumn",
]

RangePayload = NewType("RangePayload", bytes)
"""One planned range of a snapshot. Opaque: only the engine that planned it reads it."""


class Order(StrEnum):
    """The order of the rows of a read."""

    ARRIVAL = "arrival"
    TIME = "time"


class StampColumn(StrEnum):
    """Stamps that a read may ask for as extra columns (T5); the value is the column's name."""

    SCHEMA_VERSION = "_schema_version"
    INGEST_TIME = "_ingest_time"
    DATASET_REVISION = "_dataset_revision"
    PRODUCER_ID = "_producer_id"
    SEQUENCE = "_sequence"


POSITION_COLUMN = "_position"
"""The column that tells readers of a live tail who see no metadata where to resume."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanRequest:
    """A read of one snapshot.

    Attributes:
        dataset: Name of the dataset.
        as_of_revision: The snapshot's dataset revision; `None` for the newest.
        start_ns: First event time included, ns since the epoch; `None` for no bound.
        end_ns: First event time excluded; `None` for no bound.
        symbols: Only rows of these symbols; `None` for all, empty for none.
        filter: Only rows of which this is true; `None` for all.
        columns: Only these columns, in this order; `None` for all.
        limit: At most so many rows, the first ones in `order`.
        order: Order of the rows.
        stamps: Stamps to add as further columns behind the others.
        after: Only rows behind this cut of the arrival order.
        through: Only rows before this cut of the arrival order.
        dataset_id: The very dataset a planned range was made for.
        reader_version: The schema version to read under; `None` for the newest one of the dataset.
        generation: Only rows of versions of this generation; `None` for all.
    """

    dataset: str
    as_of_revision: int | None = None
    start_ns: int | None = None
    end_ns: int | None = None
    symbols: tuple[str, ...] | None = None
    filter: Filter | None = None
    columns: tuple[str, ...] | None = None
    limit: int | None = None
    order: Order = Order.ARRIVAL
    stamps: tuple[StampColumn, ...] = ()
    after: Position | None = None
    through: Position | None = None
    dataset_id: str | None = None
    reader_version: int | None = None
    generation: int | None = None

    def to_payload(self) -> RangePayload:
        """The request as opaque bytes."""
        raw: dict[str, object] = {name: getattr(self, name) for name in self.__slots__}
        for name in ("after", "through"):
            position = raw[name]
            if isinstance(position, Position):
                raw[name] = asdict(position)
        if self.filter is not None:
            raw["filter"] = filter_to_json(self.filter)
        return RangePayload(json.dumps(raw, separators=(",", ":")).encode())

    @classmethod
    def from_payload(cls, payload: RangePayload) -> ScanRequest:
        """Undo `to_payload`.

        Raises:
            InvalidArgumentError: The bytes are no planned range.
        """
        try:
            raw = json.loads(payload)
            for name in ("after", "through"):
                if raw[name] is not None:
                    raw[name] = Position(**raw[name])
            for name in ("symbols", "columns"):
                if raw[name] is not None:
                    raw[name] = tuple(raw[name])
            if raw["filter"] is not None:
                raw["filter"] = filter_from_json(raw["filter"])
            raw["order"] = Order(raw["order"])
            raw["stamps"] = tuple(StampColumn(name) for name in raw["stamps"])
            return cls(**raw)
        except (ValueError, TypeError, KeyError) as error:
            raise InvalidArgumentError(
                "this is no range planned by this store: plan the read again"
            ) from error

    def between(self, after: Position, through: Position) -> ScanRequest:
        """The same request for a part of the arrival order."""
        return replace(self, after=after, through=through)


@dataclass(frozen=True, slots=True)
class PlannedRange:
    """One of several disjoint parts of a read.

    Attributes:
        payload: What `scan` takes.
        rows: Rows in the range before time and symbol filters.
        newest_time_ns: No row of the range has a later event time, ns since the epoch; `None` where
            that is not known.
    """

    payload: RangePayload
    rows: int
    newest_time_ns: int | None = None
