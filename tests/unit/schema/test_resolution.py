"""Resolution: rows of one version as another sees them, and how null cells are read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tickmesh.schema import parse_schema, resolve_row
from tickmesh.schema.resolution import row_is_valid

_NULLABLE = {"type": ["integer", "null"]}
_FILLED = {"type": "integer", "default": 7}


def _schema(properties: dict[str, Any], **keywords: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **keywords}


@pytest.mark.parametrize(
    ("writer", "reader", "row", "resolved"),
    [
        (_schema({"a": {}}), _schema({"b": {}}), {"a": 1}, {}),
        (_schema({"a": {}}), _schema({"a": {}, "b": _FILLED}), {"a": 1}, {"a": 1, "b": 7}),
        (_schema({"b": {"type": "integer"}}), _schema({"b": _FILLED}), {}, {"b": 7}),
        (_schema({"b": {"type": "integer"}}), _schema({"b": _FILLED}), {"b": 1}, {"b": 1}),
        (_schema({"b": _NULLABLE}), _schema({"b": _FILLED}), {"b": None}, {"b": None}),
        (_schema({"b": _NULLABLE}), _schema({"b": _FILLED}), {}, {}),
        (
            _schema({"n": _schema({"a": {}})}),
            _schema({"n": _schema({"a": {}, "b": _FILLED})}),
            {},
            {},
        ),
        (
            _schema({"n": _schema({"a": {}})}),
            _schema({"n": _schema({"a": {}, "b": _FILLED})}),
            {"n": {"a": 1}},
            {"n": {"a": 1, "b": 7}},
        ),
        (
            _schema({"a": {}}),
            _schema({"n": {**_schema({"b": _FILLED}), "default": {}}}),
            {},
            {"n": {}},
        ),
        (
            _schema({"l": {"type": "array", "items": _schema({"a": {}, "c": {}})}}),
            _schema({"l": {"type": "array", "items": _schema({"a": {}, "b": _FILLED})}}),
            {"l": [{"a": 1, "c": 2}, {}]},
            {"l": [{"a": 1, "b": 7}, {"b": 7}]},
        ),
        (
            _schema({"m": {"type": "object", "additionalProperties": {"type": "integer"}}}),
            _schema({"m": {"type": "object"}}),
            {"m": {"x": 1}},
            {"m": {"x": 1}},
        ),
        (
            _schema({"a": {}}),
            {"anyOf": [_schema({"a": {}, "b": _FILLED}), _schema({"a": {}})]},
            {"a": 1},
            {"a": 1},
        ),
    ],
)
def test_rows_are_matched_by_name_dropped_and_filled(
    writer: dict[str, Any], reader: dict[str, Any], row: dict[str, Any], resolved: dict[str, Any]
) -> None:
    result = resolve_row(
        row, writer=parse_schema(json.dumps(writer)), reader=parse_schema(json.dumps(reader))
    )
    assert result == resolved


@pytest.mark.parametrize(
    ("schema", "row", "valid"),
    [
        (_schema({"a": _NULLABLE}, required=["a"]), {}, True),
        (_schema({"a": _NULLABLE}, required=["a"]), {"a": None}, True),
        (_schema({"a": {"type": "integer"}}), {"a": None}, True),
        (_schema({"a": {"type": "integer"}}, required=["a"]), {"a": None}, False),
        (_schema({"a": _NULLABLE, "b": {}}, dependentRequired={"a": ["b"]}), {"a": None}, True),
        (_schema({"a": _NULLABLE}, minProperties=1), {}, True),
        (_schema({"a": _NULLABLE}, maxProperties=0), {"a": None}, True),
        (_schema({"a": {"type": "array", "items": {"type": "integer"}}}), {"a": [None]}, False),
        (_schema({"n": _schema({"a": _NULLABLE}, required=["a"])}), {"n": {}}, True),
        (
            _schema({"n": _schema({"a": _NULLABLE})}, **{"not": {"required": ["n"]}}),
            {"n": {"a": None}},
            False,
        ),
    ],
)
def test_a_row_is_valid_if_one_reading_of_its_null_cells_is(
    schema: dict[str, Any], row: dict[str, Any], valid: bool
) -> None:
    assert row_is_valid(row, parse_schema(json.dumps(schema))) is valid
