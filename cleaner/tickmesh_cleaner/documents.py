"""Bad rows as JSON documents, exact: what the row oracle is asked and a quarantine file keeps."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.mapped import ABSENT, json_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.decoding.mapped import MappedBatch


def documents_of(mapped: MappedBatch, rows: Sequence[int]) -> list[dict[str, Any]]:
    """Some rows of a batch as documents, equal to `MappedBatch.document` of each.

    Column by column, since a bad batch may hold tens of thousands of them.

    Args:
        mapped: The batch.
        rows: Its rows, ascending.
    """
    documents: list[dict[str, Any]] = [{} for _ in rows]
    chosen = mapped.batch.take(pa.array(rows, pa.int64()))
    for field, column in zip(chosen.schema, chosen.columns, strict=True):
        integer_time = field.name in mapped.integer_times
        values = _plain_values(column, integer_time=integer_time)
        for document, value in zip(documents, values, strict=True):
            if value is not None or field.name in mapped.null_fields:
                document[field.name] = value
    place_of_row = {row: place for place, row in enumerate(rows)}
    for failure in mapped.failures:
        for index, row in enumerate(failure.rows.to_numpy(zero_copy_only=False).tolist()):
            place = place_of_row.get(row)
            if place is None:
                continue
            if failure.code == ABSENT:
                documents[place].pop(failure.column, None)
            else:
                documents[place][failure.column] = failure.value(index)
    return documents


def document_text(document: Any) -> str:
    """JSON text of a document, in the order of its fields.

    Decimals keep every digit. Numbers JSON has no word for become text: `"NaN"`, `"Infinity"`.
    """
    try:
        return json.dumps(document, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        return _exact_text(document)


def _plain_values(column: pa.Array[Any], *, integer_time: bool) -> list[Any]:
    kind = column.type
    if pt.is_dictionary(kind):
        column = column.cast(kind.value_type)
        kind = column.type
    if pt.is_timestamp(kind) and integer_time:
        return column.cast(pa.int64()).to_pylist()
    if pt.is_string(kind) or pt.is_integer(kind) or pt.is_floating(kind) or pt.is_boolean(kind):
        return column.to_pylist()
    return [json_value(scalar, integer_time=integer_time) for scalar in column]


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
