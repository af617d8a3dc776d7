"""Bad rows as JSON text, exact: what a quarantine file keeps."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from tickmesh.decoding.json_texts import json_texts
from tickmesh.schema.validation.encodings import decoded_batch, decoded_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.decoding.arrow import Array
    from tickmesh.decoding.mapped import MappedBatch


def document_text(document: Any) -> str:
    """JSON text of a document, in the order of its fields.

    Decimals keep every digit. Numbers JSON has no word for become text: `"NaN"`, `"Infinity"`.
    """
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return _exact_text(document)


def _exact_text(value: Any) -> str:
    if isinstance(value, dict):
        members = (f"{json.dumps(str(key))}: {_exact_text(part)}" for key, part in value.items())
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_exact_text(part) for part in value) + "]"
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else json.dumps(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        return json.dumps({math.inf: "Infinity", -math.inf: "-Infinity"}.get(value, "NaN"))
    return json.dumps(value, ensure_ascii=False)


def cell_texts(mapped: MappedBatch, rows: Sequence[int]) -> list[tuple[str, Array]] | None:
    """The cells of some rows as JSON text, by column; None where a column has no kernel for it.

    What `object_texts` joins of them is the `document_text` of `MappedBatch.documents`, as long as
    none of the rows has a cell that could not be filled.
    """
    chosen = mapped.batch.take(pa.array(rows, pa.int64()))
    chosen = decoded_batch(chosen, decoded_schema(chosen.schema))
    found: list[tuple[str, Array]] = []
    for name, column in zip(chosen.schema.names, chosen.columns, strict=True):
        texts = json_texts(column, integer_time=name in mapped.integer_times)
        if texts is None:
            return None
        found.append((name, texts))
    return found
