"""What each keyword of a schema became, measured on rows where there are some."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh.decoding.decoded import DecodeError
from tickmesh.decoding.mapping import RowMapper
from tickmesh.decoding.opening import open_decoder
from tickmesh.decoding.source_spec import Format, identity_spec
from tickmesh.schema import compile_schema
from tickmesh_cleaner.domain.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tickmesh.registered import RegisteredSchema
    from tickmesh.schema.validation import Explanation
    from tickmesh_cleaner.backtesting import StoredRows

SAMPLE_ROWS = 65_536
"""Rows a schema is measured on: a whole batch."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A schema's plan, and how many rows it was measured on; 0 when on none."""

    explanation: Explanation
    sample_rows: int


def explain(
    schema: RegisteredSchema,
    *,
    documents: Sequence[str],
    stored: StoredRows,
    check: Callable[[], None],
) -> Explained:
    """Explain a schema for the columns of its own projection, or of the rows that are stored.

    Args:
        schema: The schema.
        documents: JSON texts to measure on, repeated to a batch; stored rows when empty.
        stored: Where the rows of its subject are stored.
        check: Raises when nobody waits for the answer any more.

    Raises:
        InvalidArgumentError: A document makes no row of the schema's fields.
    """
    sample = _repeated(_made_of(documents, schema)) if documents else _stored(schema, stored, check)
    if sample is None:
        return Explained(compile_schema(schema.document, schema.arrow_schema).explain(), 0)
    validator = compile_schema(schema.document, sample.schema)
    return Explained(validator.explain(sample), sample.num_rows)


def _stored(
    schema: RegisteredSchema, stored: StoredRows, check: Callable[[], None]
) -> pa.RecordBatch | None:
    if not schema.subject:
        return None
    names = schema.arrow_schema.names
    rows = stored.newest(
        schema.subject,
        start_ns=None,
        end_ns=None,
        columns=names,
        max_rows=SAMPLE_ROWS,
        check=check,
    )
    for batch in rows.batches:
        if batch.num_rows:
            return batch.select([name for name in batch.schema.names if name in set(names)])
    return None


def _made_of(documents: Sequence[str], schema: RegisteredSchema) -> pa.RecordBatch:
    spec = identity_spec(Format.JSONL)
    mapper = RowMapper(spec, schema.document, schema.arrow_schema, file_name="")
    lines = "".join(f"{' '.join(text.splitlines())}\n" for text in documents)
    parts = []
    try:
        for decoded in open_decoder(io.BytesIO(lines.encode()), spec):
            mapped = mapper.map(decoded)
            rejects = (*decoded.rejects, *mapped.rejects)
            if rejects:
                raise InvalidArgumentError(
                    "sample", f"document {rejects[0].line} makes no row: {rejects[0].message}"
                )
            parts.append(mapped.batch)
    except DecodeError as error:
        raise InvalidArgumentError("sample", error.message) from error
    return pa.Table.from_batches(parts).combine_chunks().to_batches()[0]


def _repeated(batch: pa.RecordBatch) -> pa.RecordBatch:
    times = -(-SAMPLE_ROWS // batch.num_rows)
    rows = pa.Table.from_batches([batch] * times).slice(0, SAMPLE_ROWS)
    return rows.combine_chunks().to_batches()[0]
