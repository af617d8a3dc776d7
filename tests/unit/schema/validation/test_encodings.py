"""Encoded columns are judged as what they stand for: scaled integers and JSON texts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tickmesh.schema import parse_schema, project
from tickmesh.schema.validation import NullMeans, compile_schema
from tickmesh.schema.validation.documents import row_documents
from tickmesh.schema.validation.encodings import as_list

SCALED = {"type": "number", "maximum": 100, "multipleOf": 0.5, "arrow": "scaled_int64(4)"}
OPAQUE = {"anyOf": [{"type": "object", "required": ["a"]}, {"type": "integer", "maximum": 5}]}


def verdicts(
    schema: Any, cells: list[Any], *, required: bool = False
) -> tuple[list[bool | None], list[Any], pa.RecordBatch]:
    """The verdicts on the cells of a column, the documents they stand for, and their batch."""
    import json

    text = json.dumps({"properties": {"f": schema}, "required": ["f"] if required else []})
    document = parse_schema(text)
    arrow_schema = project(document)
    column: Any = pa.array([None, *cells, None], arrow_schema.field("f").type)
    batch = pa.RecordBatch.from_arrays([column], schema=arrow_schema).slice(1, len(cells))
    checked = compile_schema(document, arrow_schema).check(batch)
    documents = row_documents(batch, null_means=NullMeans.NULL)
    good: list[bool | None] = checked.good.to_pylist()
    reasons = checked.reasons_of(range(len(cells)))
    assert [not each for each in reasons] == good
    return good, [each["f"] for each in documents], batch


def test_a_scaled_integer_is_judged_as_the_number_it_stands_for() -> None:
    good, documents, _ = verdicts(SCALED, [125_000, 1_000_001, 5_001, None, -5_000])
    assert good == [True, False, False, True, True]
    assert documents == [
        Decimal("12.5"),
        Decimal("100.0001"),
        Decimal("0.5001"),
        None,
        Decimal("-0.5"),
    ]


def test_the_whole_range_of_a_scaled_integer_is_exact() -> None:
    schema = {"type": "number", "minimum": 0, "arrow": "scaled_int64(18)"}
    good, documents, _ = verdicts(schema, [2**63 - 1, -(2**63), 0])
    assert good == [True, False, True]
    assert documents[0] == Decimal("9.223372036854775807")


def test_json_text_is_judged_as_the_value_it_holds() -> None:
    cells = ['{"a":null}', "{}", "5", "6", '"5"', "null", None, "5.0"]
    good, documents, _ = verdicts(OPAQUE, cells)
    assert good == [True, False, True, False, False, False, True, True]
    assert documents == [{"a": None}, {}, 5, 6, "5", None, None, 5]


def test_text_that_is_not_json_is_refused_whatever_the_schema_admits() -> None:
    good, _, _ = verdicts({}, ['"ok"', "not json", "NaN", None, "[1,", '{"a":[1,{}]}'])
    assert good == [True, False, False, True, False, True]
    good, _, _ = verdicts(OPAQUE, ["not json"])
    assert good == [False]


@pytest.mark.parametrize(
    ("schema", "cells", "expected"),
    [
        (
            {"type": "array", "items": SCALED},
            [[5_000, 10_000], [], None, [1], [10_000_000]],
            [True, True, True, False, False],
        ),
        (
            {"type": "array", "items": OPAQUE},
            [["3", '{"a":1}'], [], None, ['"x"'], ["7"]],
            [True, True, True, False, False],
        ),
        (
            {"type": "object", "properties": {"p": SCALED, "o": OPAQUE}, "required": ["o"]},
            [{"p": 5_000, "o": "1"}, {"p": 1, "o": "1"}, None, {"p": None, "o": "9"}, {"p": 5_000}],
            [True, False, True, False, False],
        ),
        (
            {"type": "object", "additionalProperties": SCALED},
            [[("k", 5_000)], [], None, [("k", 1)], [("j", 5_000), ("k", 10_000_000)]],
            [True, True, True, False, False],
        ),
    ],
)
def test_encoded_values_inside_other_types_are_judged_too(
    schema: Any, cells: list[Any], expected: list[bool]
) -> None:
    assert verdicts(schema, cells)[0] == expected


def test_columns_without_metadata_are_what_their_type_says() -> None:
    """The same document and the same types, once encoded and once not, are two validators."""
    document = parse_schema(
        '{"properties":{"f":{"type":"number","maximum":100,"arrow":"scaled_int64(4)"}}}'
    )
    encoded = project(document)
    plain = pa.schema([pa.field("f", pa.int64())])
    batch = pa.record_batch([pa.array([101])], schema=plain)
    assert compile_schema(document, encoded).check(batch).good.to_pylist() == [True]
    assert compile_schema(document, plain).check(batch).good.to_pylist() == [False]


def test_lists_of_json_texts_that_are_all_null_or_empty_have_documents() -> None:
    document = parse_schema('{"properties":{"f":{"items":{"items":{}},"type":"array"}}}')
    columns = project(document)
    batch = pa.record_batch([pa.array([None, []], columns.field("f").type)], schema=columns)
    assert row_documents(batch) == [{}, {"f": []}]


def test_a_map_is_the_list_of_its_entries_wherever_it_is_cut() -> None:
    """Also where a null struct hides members that may not be null."""
    inner = pa.struct([pa.field("a", pa.int64(), nullable=False)])
    cells = [[("x", {"a": 1}), ("y", None)], None, [], [("z", {"a": 2})]]
    maps: Any = pa.array(cells, pa.map_(pa.string(), inner))
    for cut in (maps, maps.slice(1), maps.slice(3), maps.slice(0, 2)):
        entries = as_list(cut)
        entries.validate(full=True)
        assert entries.to_pylist() == [
            None if cell is None else [{"key": key, "value": value} for key, value in cell]
            for cell in cut.to_pylist()
        ]
