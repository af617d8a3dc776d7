"""Trades for tests of the tick store: a schema, rows of it, and a source of versions in memory."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh.errors import NotFoundError, UnavailableError
from tickmesh.schema import FieldIds, action_of, parse_schema, project

if TYPE_CHECKING:
    from tickmesh.schema import SchemaDocument

SYMBOLS = ("AAPL", "IBM", "MSFT")


def trades_schema(**more: object) -> str:
    """The text of a schema of trades; `more` are further optional properties."""
    return json.dumps(
        {
            "type": "object",
            "properties": {
                "ts": {"type": "string", "format": "date-time", "x-tick-role": "event_time"},
                "symbol": {"type": "string", "enum": list(SYMBOLS), "x-tick-role": "symbol"},
                "price": {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000},
                "size": {"type": "integer", "minimum": 0},
                "note": {"type": "string"},
                **more,
            },
            "required": ["ts", "symbol", "price", "size"],
        }
    )


def trades(rows: int, *, start_ns: int = 0, step_ns: int = 1_000) -> pa.Table:
    """Valid trades, one each `step_ns`."""
    numbers = range(rows)
    return pa.table(
        {
            "ts": pa.array([start_ns + each * step_ns for each in numbers]).cast(
                pa.timestamp("ns", "UTC")
            ),
            "symbol": pa.array([SYMBOLS[each % 3] for each in numbers]).dictionary_encode(),
            "price": pa.array([1.0 + each for each in numbers]),
            "size": pa.array(list(numbers)),
            "note": pa.array([None if each % 2 else f"n{each}" for each in numbers], pa.utf8()),
        }
    )


def decoded(table: pa.Table) -> pa.Table:
    """The table with dictionaries decoded and no metadata: what promise T6 compares."""
    columns = [
        column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


@dataclass(frozen=True)
class MemorySchema:
    """One version, as the store's `SchemaVersion` wants it."""

    subject: str
    version: int
    schema_id: int
    state: str
    action: str
    arrow_schema: pa.Schema
    document: SchemaDocument


@dataclass
class MemorySchemas:
    """A `SchemaSource` that tests fill by hand; the newest version is in force."""

    by_subject: dict[str, list[MemorySchema]] = field(default_factory=dict)
    field_ids: dict[str, FieldIds] = field(default_factory=dict)
    away: bool = False

    def register(self, subject: str, text: str, *, state: str = "active") -> MemorySchema:
        """Add the next version of a subject."""
        versions = self.by_subject.setdefault(subject, [])
        document = parse_schema(text)
        number = len(versions) + 1
        schema_id = sum(len(each) for each in self.by_subject.values()) + 1
        ids = self.field_ids.get(subject, FieldIds()).extended(document)
        self.field_ids[subject] = ids
        added = MemorySchema(
            subject=subject,
            version=number,
            schema_id=schema_id,
            state=state,
            action=action_of(versions[-1].document if versions else None, document),
            arrow_schema=project(
                document,
                subject=subject,
                version=number,
                field_ids=ids,
            ),
            document=document,
        )
        versions.append(added)
        return added

    def latest(self, subject: str) -> MemorySchema:
        """The newest version."""
        return self._versions(subject)[-1]

    def in_force(self, subject: str) -> MemorySchema:
        """The newest version."""
        return self.latest(subject)

    def get(self, subject: str, *, version: int) -> MemorySchema:
        """One version."""
        versions = self._versions(subject)
        if not 0 < version <= len(versions):
            raise NotFoundError("no such version", reason="VERSION_NOT_FOUND")
        return versions[version - 1]

    def versions(self, subject: str) -> list[MemorySchema]:
        """Every version."""
        return self._versions(subject)

    def by_id(self, schema_id: int) -> MemorySchema:
        """The version with an id."""
        for versions in self.by_subject.values():
            for each in versions:
                if each.schema_id == schema_id:
                    return each
        raise NotFoundError("no such id", reason="VERSION_NOT_FOUND")

    def _versions(self, subject: str) -> list[MemorySchema]:
        if self.away:
            raise UnavailableError("the registry is away")
        if subject not in self.by_subject:
            raise NotFoundError("no such subject", reason="SUBJECT_NOT_FOUND")
        return self.by_subject[subject]
