"""Rows as JSON text by columns: exact, and the same as text written value by value."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tickmesh.decoding.json_texts import json_texts, object_texts

NS = 1_700_000_000_123_456_789


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([1, None, -(2**63)]), ["1", None, str(-(2**63))]),
        (pa.array([0.1, -1.0, 1e22, None]), ["0.1", "-1.0", "1e+22", None]),
        (pa.array([float("nan"), float("-inf")]), ['"NaN"', '"-Infinity"']),
        (pa.array([True, None, False]), ["true", None, "false"]),
        (pa.array(["ü", 'a"b\\', "\x00\n", None]), ['"ü"', r'"a\"b\\"', r'"\u0000\n"', None]),
        (pa.array(["N", None, "P"]).dictionary_encode(), ['"N"', None, '"P"']),
        (pa.array([Decimal("0.10"), None]), ["0.10", None]),
        (pa.array([NS], pa.timestamp("ns", "UTC")), ['"2023-11-14T22:13:20.123456789Z"']),
        (pa.array([NS // 10**9 * 1000], pa.timestamp("ms")), ['"2023-11-14T22:13:20"']),
        (pa.array([NS // 10**9], pa.timestamp("s", "UTC")), ['"2023-11-14T22:13:20Z"']),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_cells_keep_every_digit(column: Any, texts: list[str | None]) -> None:
    found: Any = json_texts(column)
    assert found.to_pylist() == texts
    assert all(text is None or json.loads(text) is not None for text in texts)


def test_instants_of_an_integer_field_are_integers() -> None:
    column = pa.array([NS, None], pa.timestamp("ns", "UTC"))
    found: Any = json_texts(column, integer_time=True)
    assert found.to_pylist() == [str(NS), None]


def test_a_null_is_absent_unless_its_field_has_null() -> None:
    a, b = pa.array(["1", None, None]), pa.array([None, "2", None])
    assert object_texts([("a", a), ("b", b)], 3).to_pylist() == ['{"a": 1}', '{"b": 2}', "{}"]
    assert object_texts([("a", a), ("b", b)], 3, null_fields={"b"}).to_pylist() == [
        '{"a": 1, "b": null}',
        '{"b": 2}',
        '{"b": null}',
    ]
    assert object_texts([], 2).to_pylist() == ["{}", "{}"]
