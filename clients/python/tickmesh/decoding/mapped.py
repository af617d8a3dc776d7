"""Rows made of records: exactly the schema's columns, and everything that did not fit them."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tickmesh.decoding.conversion import grammar
from tickmesh.decoding.conversion.cells import FAILURE_MESSAGES
from tickmesh.schema.validation.encodings import (
    decoded_batch,
    decoded_schema,
    is_json_text,
    json_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh.decoding.decoded import RecordReject

ABSENT: Final = "ABSENT"
"""Code of a cell whose JSON key is not there although the schema requires it (null would do)."""

NULL: Final = "NULL"
"""Code of a cell that is JSON null although the schema does not admit null (absence would do)."""


@dataclass(frozen=True, slots=True)
class CellFailure:
    """Cells of one column that hold no value of the field's type, for one reason.

    Attributes:
        column: Name of the schema's field.
        rows: Rows of the mapped batch; their cells are null there.
        code: UPPER_SNAKE, such as NOT_A_NUMBER, REPR_OVERFLOW, NONFINITE, NOT_A_TIME, NULL.
        raw: What stood there.
        form: Whether ``raw`` is text as the source has it, or JSON.
    """

    column: str
    rows: pa.Int64Array
    code: str
    raw: pa.StringArray
    form: Literal["text", "json"] = "text"

    @property
    def message(self) -> str:
        """What was expected."""
        if self.code == ABSENT:
            return "expected the field to be there"
        if self.code == NULL:
            return "expected a value or no field at all, not null"
        return FAILURE_MESSAGES[self.code]

    def value(self, index: int) -> Any:
        """The raw value of the ``index``-th failed cell as JSON; numbers are int or Decimal."""
        text = self.raw[index].as_py()
        if self.form == "json":
            return _exact_json(text)
        return _exact_json(text) if grammar.NUMBER_PATTERN.fullmatch(text) else text


@dataclass(frozen=True)
class MappedBatch:
    """The rows that a decoded batch makes.

    Attributes:
        batch: The rows; failed cells are null, also in fields that admit no null.
        record_index: For each row, the row of ``DecodedBatch.columns`` it was made of.
        failures: Cells that could not be filled.
        rejects: Records that make no rows, such as UNMAPPED_KIND and MALFORMED.
        skipped: Records of kinds under ``skip``, by kind.
        records_without_rows: Records of a kind that is mapped which made no row (empty arrays).
        extras: Values under raw fields that nothing reads, by raw field.
        coercions: Cells changed on the way, by code (``conversion.cells``).
        integer_times: Fields that the schema has as integers and Arrow as instants.
        null_fields: Fields that must be there and may be null: a null cell is null, not absent.
    """

    batch: pa.RecordBatch
    record_index: pa.Int32Array
    failures: tuple[CellFailure, ...]
    rejects: tuple[RecordReject, ...]
    skipped: Mapping[str, int]
    records_without_rows: int
    extras: Mapping[str, int]
    coercions: Mapping[str, int]
    integer_times: frozenset[str] = frozenset()
    null_fields: frozenset[str] = frozenset()

    def documents(self, rows: Sequence[int]) -> list[dict[str, Any]]:
        """Some rows as JSON documents.

        Failed cells hold their raw value. Null cells are null in ``null_fields`` and absent in
        all others. Made column by column, since a bad batch may hold tens of thousands of rows.

        Args:
            rows: Which rows, each once; the documents stand in their order.
        """
        documents: list[dict[str, Any]] = [{} for _ in rows]
        chosen = self.batch.take(pa.array(rows, pa.int64()))
        chosen = decoded_batch(chosen, decoded_schema(chosen.schema))
        for field, column in zip(chosen.schema, chosen.columns, strict=True):
            values = _json_values(column, integer_time=field.name in self.integer_times)
            for document, value in zip(documents, values, strict=True):
                if value is not None or field.name in self.null_fields:
                    document[field.name] = value
        place_of_row = {row: place for place, row in enumerate(rows)}
        for failure in self.failures:
            for index, row in enumerate(np.asarray(failure.rows).tolist()):
                place = place_of_row.get(row)
                if place is None:
                    continue
                if failure.code == ABSENT:
                    documents[place].pop(failure.column, None)
                else:
                    documents[place][failure.column] = failure.value(index)
        return documents


def _json_values(column: pa.Array[Any], *, integer_time: bool) -> list[Any]:
    """The cells of a column as JSON has them; those JSON holds as they are go the fast way."""
    if pt.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pt.is_timestamp(kind) and integer_time:
        return column.cast(pa.int64()).to_pylist()
    if pt.is_string(kind) or pt.is_integer(kind) or pt.is_floating(kind) or pt.is_boolean(kind):
        return column.to_pylist()
    return [_json_value(scalar) for scalar in column]


def _json_value(scalar: Any) -> Any:
    """An Arrow value as JSON has it: instants as RFC 3339, binary as base64, decimals exact."""
    kind = scalar.type
    if not scalar.is_valid:
        return None
    if pt.is_timestamp(kind):
        return _instant_text(scalar.cast(pa.int64()).as_py(), unit=kind.unit)
    if pt.is_struct(kind):
        return {
            field.name: _json_value(scalar[field.name])
            for field in kind
            if scalar[field.name].is_valid
        }
    if pt.is_list(kind) or pt.is_large_list(kind):
        return [_json_value(item) for item in scalar.values]
    if pt.is_map(kind):
        return {str(key): _json_value(value) for key, value in _entries(scalar)}
    if pt.is_time(kind):
        return f"{scalar.cast(pa.string()).as_py()}Z"
    if pt.is_duration(kind):
        return scalar.cast(pa.int64()).as_py()
    if is_json_text(kind):
        return json_of(scalar.value.as_py())
    value = scalar.as_py()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.isoformat() if isinstance(value, date) else value


def _entries(scalar: Any) -> list[tuple[Any, Any]]:
    entries = scalar.values
    return list(zip(entries.field(0).to_pylist(), entries.field(1), strict=True))


def _instant_text(count: int, *, unit: str) -> str:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    seconds, rest = divmod(count, per_second)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{rest:0{len(str(per_second)) - 1}d}".rstrip("0") if rest else ""
    return f"{text}.{fraction}Z" if fraction else f"{text}Z"


def _exact_json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)
