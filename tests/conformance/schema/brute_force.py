"""A search for breaking cases that knows nothing of the checker: every small object is tried.

Whole documents are judged by jsonschema-rs on the schema as written and confirmed by
python-jsonschema; rows by what the design defines, `resolve_row` and `row_is_valid`.
"""

from __future__ import annotations

import itertools
import json
from functools import cache
from typing import TYPE_CHECKING, Any

import jsonschema
import jsonschema_rs

from tickmesh.schema import parse_schema
from tickmesh.schema.resolution import resolve_row, row_is_valid

if TYPE_CHECKING:
    from collections.abc import Iterator

_MISSING = object()
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 12, -1, 0.5, 1.5, 9.5, 10.25, 0.01, 0.1),
    *(2**53, 0.05, 1.0, 0.001, 1000),
    *("", "B", "S", "X", "a", "x", "y", "b", "ab", "xaby", "A.", "7", "42", "AB", "ABCD"),
    *("ABCDE", "ABCDEFGHI", "abcdef", "2024-01-02T03:04:05Z"),
    *([], [1], [2], [1.5], [1, 1], [1, 1.5], [1, "x"], ["a"], ["a", "a"], ["a", "b"], [1, 2, "a"]),
    *(["a", "b", "c"], ["a", "b", "c", "d"], [-1], [[1]], [[1.5]], [{}], [{"p": 1}], [1, 2, 3]),
    *([{"p": 1, "q": 1}, {"p": 1, "q": 2}], [{"p": 1, "q": "x"}]),
    *({}, {"a": 1}, {"a": -1}, {"zz": 1.5}, {"zz": "x"}, {"zz": 1, "y": 2}, {"p_x": 1.5}),
    *({"p_x": "x"}, {"p_": "x"}, {"p_xy": "x"}, {"abc": 1}, {"abcd": 1}, {"a": "x", "b": "y"}),
    *({"a": 1, "b": ""}, {"a": 0}, {"a": "x"}),
)
_FEW: tuple[Any, ...] = (_MISSING, 1, "x", -1, None)


def small_objects(*schemas: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields objects over the names of schemas and two more: few values of all, many of one."""
    names = sorted({name for schema in schemas for name in _names(schema)} | {"p_x", "zz"})
    for chosen in itertools.product(_FEW, repeat=len(names)):
        yield _object(names, chosen)
    for first in names:
        for value in _VALUES:
            for others in (_MISSING, 1, "x"):
                yield _object(names, [value if name == first else others for name in names])


def _object(names: list[str], chosen: Any) -> dict[str, Any]:
    return {name: value for name, value in zip(names, chosen, strict=True) if value is not _MISSING}


def _names(schema: Any) -> set[str]:
    return {*schema.get("properties", ()), *schema.get("required", ())}


def _judges_documents(schema: Any) -> Any:
    return _compiled(json.dumps(schema))


@cache
def _compiled(text: str) -> tuple[Any, Any]:
    schema = json.loads(text)
    second = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)(
        schema
    )
    return jsonschema_rs.validator_for(schema, validate_formats=False), second


def refutes_document(document: Any, writer: Any, reader: Any) -> bool:
    """Whether a document is valid under one schema and not under another."""
    old, new = _judges_documents(writer), _judges_documents(reader)
    found = old[0].is_valid(document) and not new[0].is_valid(document)
    return found and old[1].is_valid(document) and not new[1].is_valid(document)


@cache
def _parsed(text: str) -> Any:
    return parse_schema(text)


def refutes_row(row: dict[str, Any], writer: Any, reader: Any) -> bool:
    """Whether a row valid under one schema is, once resolved, not valid under another."""
    old, new = _parsed(json.dumps(writer)), _parsed(json.dumps(reader))
    if not row_is_valid(row, old):
        return False
    return not row_is_valid(resolve_row(row, writer=old, reader=new), new)
