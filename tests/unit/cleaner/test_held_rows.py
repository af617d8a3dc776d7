"""Bad rows in columns say what the row oracle says of each: documents, reasons and their words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.cleaner.parts import schema_version
from tickmesh.decoding.decoded import Position
from tickmesh.decoding.mapping import RowMapper
from tickmesh.decoding.source_spec import identity_spec
from tickmesh.decoding.tabular import batches
from tickmesh.schema.validation import compile_schema
from tickmesh_cleaner import held_reasons
from tickmesh_cleaner.documents import document_text
from tickmesh_cleaner.held_rows import HeldRows
from tickmesh_cleaner.judging import RowsOfBatch
from tickmesh_cleaner.quarantine_files import RECORD_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

SCHEMA = {
    "type": "object",
    "required": ["price", "venue", "ts"],
    "properties": {
        "ts": {"type": "integer", "minimum": 0, "arrow": "timestamp[ns, UTC]"},
        "at": {"type": "string", "format": "date-time", "arrow": "timestamp[us, UTC]"},
        "price": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000, "multipleOf": 0.5},
        "venue": {"type": "string", "enum": ["N", "P", "Q", "Z"]},
        "kind": {"const": "trade"},
        "id": {"type": "string", "pattern": "^T[0-9]{3}$", "maxLength": 6},
        "lot": {"type": ["integer", "null"], "minimum": 1},
        "open": {"type": "boolean", "enum": [True]},
    },
    "not": {"properties": {"id": {"const": "T666"}}, "required": ["id"]},
}
TYPES: dict[str, pa.DataType] = {
    "ts": pa.timestamp("ns", "UTC"),
    "at": pa.timestamp("us", "UTC"),
    "price": pa.float64(),
    "venue": pa.string(),
    "kind": pa.string(),
    "id": pa.string(),
    "lot": pa.int64(),
    "open": pa.bool_(),
}
ROW = st.fixed_dictionaries(
    {
        "ts": st.none() | st.sampled_from([-1, 0, 1_700_000_000_000_000_001]),
        "at": st.none() | st.sampled_from([0, 1_700_000_000_120_000]),
        "price": st.none() | st.sampled_from([1.5, -1.0, 0.0, 1e22, 0.25, 2000.0, float("nan")]),
        "venue": st.none() | st.sampled_from(["N", "X", 'a"b', "ü", "Z\n"]),
        "kind": st.none() | st.sampled_from(["trade", "quote"]),
        "id": st.none() | st.sampled_from(["T123", "T12", "T1234567", "T666", "\\"]),
        "lot": st.none() | st.sampled_from([1, 0, -5]),
        "open": st.none() | st.booleans(),
    }
)


def rows_of(rows: Sequence[dict[str, Any]]) -> RowsOfBatch:
    schema = schema_version(json.dumps(SCHEMA), 1)
    columns = [pa.array([row[name] for row in rows], kind) for name, kind in TYPES.items()]
    batch = pa.RecordBatch.from_arrays(columns, names=list(TYPES))
    found = batches(lambda _row: iter([batch]), start=Position(), end=None, batch_records=1000)
    (decoded,) = found
    mapper = RowMapper(identity_spec("arrow"), schema.document, schema.arrow_schema)
    mapped = mapper.map(decoded)
    validator = compile_schema(schema.document, schema.arrow_schema)
    return RowsOfBatch(schema, decoded, mapped, validator.check(mapped.batch), validator.sites)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=6), st.integers(1, 12))
def test_what_is_worded_together_reads_as_if_it_were_worded_row_by_row(
    few: list[dict[str, Any]], copies: int
) -> None:
    """Copies of a few rows, so that groups are large enough to be worded together."""
    rows = rows_of(few * copies)
    bad = rows.bad_rows.tolist()
    documents, reasons = rows.explain_bad_rows()
    one_by_one = rows.explain(bad)
    assert documents.to_pylist() == [document_text(one.document) for one in one_by_one]
    found = [[tuple(reason.values()) for reason in each] for each in reasons.to_pylist()]
    assert found == [
        [(one.code, one.instance_path, one.schema_path, one.message) for one in each.reasons]
        for each in one_by_one
    ]


def test_rows_that_many_are_like_are_not_shown_to_the_oracle_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row = dict.fromkeys(TYPES) | {"ts": 1, "venue": "N"}
    rows = rows_of([row | {"price": -number - 0.5} for number in range(500)])
    asked: list[int] = []
    explain = RowsOfBatch._worded

    def count(self: RowsOfBatch, places: Sequence[int]) -> object:
        asked.extend(places)
        return explain(self, places)

    monkeypatch.setattr(RowsOfBatch, "_worded", count)
    _, reasons = rows.explain_bad_rows()
    assert len(reasons) == 500
    assert len(asked) <= 2 * held_reasons._SMALL_GROUP


def test_each_reason_is_counted_once_a_row() -> None:
    reasons = [("MINIMUM", "/x"), ("MINIMUM", "/x"), ("TYPE", "/y")]
    table = pa.Table.from_pylist(
        [
            {
                **dict.fromkeys(RECORD_SCHEMA.names, 0),
                **dict.fromkeys(["source", "document", "rule_set_fingerprint", "engine"], ""),
                "raw": b"",
                "reasons": [
                    {"code": code, "instance_path": path, "schema_path": "", "message": str(number)}
                    for number, (code, path) in enumerate(chosen)
                ],
            }
            for chosen in (reasons, [], reasons[2:])
        ],
        schema=RECORD_SCHEMA,
    )
    found = {(code, path): rows.tolist() for code, path, rows in HeldRows(table).rows_by_reason()}
    assert found == {("MINIMUM", "/x"): [0], ("TYPE", "/y"): [0, 2]}
