"""The Arrow projection, by the vectors that every client language runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tickmesh.schema import parse_schema, project

_VECTORS = Path(__file__).parents[1] / "vectors" / "arrow_projection.json"
_CASES = json.loads(_VECTORS.read_text())["cases"]
_NAMED: dict[str, pa.DataType] = {
    "null": pa.null(),
    "bool": pa.bool_(),
    "int8": pa.int8(),
    "int64": pa.int64(),
    "uint64": pa.uint64(),
    "float32": pa.float32(),
    "float64": pa.float64(),
    "utf8": pa.utf8(),
    "large_utf8": pa.large_utf8(),
    "binary": pa.binary(),
    "date32": pa.date32(),
    "time64[ns]": pa.time64("ns"),
    "duration[ns]": pa.duration("ns"),
    "timestamp[ns, UTC]": pa.timestamp("ns", "UTC"),
    "timestamp[ms, UTC]": pa.timestamp("ms", "UTC"),
    "decimal128(18, 4)": pa.decimal128(18, 4),
    "dictionary<int32, utf8>": pa.dictionary(pa.int32(), pa.utf8()),
}


def _described(field: Any) -> dict[str, Any]:
    """Returns a field in the form of the vectors."""
    described: dict[str, Any] = {
        "name": field.name,
        "type": _type(field.type),
        "nullable": field.nullable,
    }
    if field.metadata:
        described["metadata"] = {
            key.decode(): value.decode() for key, value in field.metadata.items()
        }
    return described


def _type(kind: Any) -> Any:
    if pa.types.is_struct(kind):
        return {"struct": [_described(member) for member in kind]}
    if pa.types.is_list(kind):
        return {"list": _described(kind.value_field)}
    if pa.types.is_map(kind):
        assert kind.key_type == pa.utf8()
        return {"map": _described(kind.item_field)}
    (name,) = (name for name, named in _NAMED.items() if named == kind)
    return name


@pytest.mark.parametrize("case", _CASES, ids=[case["name"] for case in _CASES])
def test_the_projection_is_the_documented_one(case: dict[str, Any]) -> None:
    schema = project(parse_schema(json.dumps(case["schema"])))
    assert [_described(field) for field in schema] == case["fields"]
