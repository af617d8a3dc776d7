"""Schemas, specs and whole-source reading for tests of decoding."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tickmesh.decoding.mapping import RowMapper
from tickmesh.decoding.opening import open_decoder
from tickmesh.schema.document import SchemaDocument, parse_schema
from tickmesh.schema.projection import project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tickmesh.decoding.decoded import DecodedBatch, Position
    from tickmesh.decoding.mapped import MappedBatch
    from tickmesh.decoding.source_spec import SourceSpec

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "sources"


def schema_of(properties: Mapping[str, Any], *, required: tuple[str, ...] = ()) -> SchemaDocument:
    """A schema of one object."""
    import json

    text = json.dumps(
        {"type": "object", "properties": dict(properties), "required": list(required)}
    )
    return parse_schema(text)


def decode(
    content: bytes | Path,
    spec: SourceSpec,
    *,
    start: Position | None = None,
    end: Position | None = None,
    batch_records: int = 65_536,
) -> list[DecodedBatch]:
    """All batches of a source."""
    source = content if isinstance(content, Path) else io.BytesIO(content)
    return list(open_decoder(source, spec, start=start, end=end, batch_records=batch_records))


@dataclass
class Summary:
    """Everything that became of a source."""

    batches: list[pa.RecordBatch] = field(default_factory=list)
    mapped: list[MappedBatch] = field(default_factory=list)
    records: int = 0
    rows: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    extras: Counter[str] = field(default_factory=Counter)
    coercions: Counter[str] = field(default_factory=Counter)
    records_without_rows: int = 0

    @property
    def table(self) -> pa.Table:
        return pa.Table.from_batches(self.batches).unify_dictionaries()


def map_all(
    content: bytes | Path,
    spec: SourceSpec,
    document: SchemaDocument,
    *,
    file_name: str = "",
    batch_records: int = 65_536,
) -> Summary:
    """Decode and map a whole source."""
    mapper = RowMapper(spec, document, project(document), file_name=file_name)
    found = Summary()
    for decoded in decode(content, spec, batch_records=batch_records):
        mapped = mapper.map(decoded)
        found.batches.append(mapped.batch)
        found.mapped.append(mapped)
        found.records += decoded.record_count
        found.rows += mapped.batch.num_rows
        found.rejects.update(reject.code for reject in (*decoded.rejects, *mapped.rejects))
        for failure in mapped.failures:
            found.failed[f"{failure.column} {failure.code}"] += len(failure.rows)
        found.skipped.update(mapped.skipped)
        found.extras.update(mapped.extras)
        found.coercions.update(mapped.coercions)
        found.records_without_rows += mapped.records_without_rows
    return found


def lines(*texts: str) -> bytes:
    """Lines of a file."""
    return "".join(f"{text}\n" for text in texts).encode()


def in_steps(content: bytes, step: int) -> Iterator[bytes]:
    """The content in chunks."""
    for place in range(0, len(content), step):
        yield content[place : place + step]
