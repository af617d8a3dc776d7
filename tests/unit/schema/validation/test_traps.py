"""Where columns and JSON differ: each known trap, and the verdict that JSON Schema asks for."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeAlias

import pyarrow as pa
import pytest

from tickmesh.schema.validation import NullMeans, compile_schema

Column: TypeAlias = "pa.Array[Any]"

NAN, INFINITY = float("nan"), float("inf")
UTC_NS = pa.timestamp("ns", "UTC")

TRAPS: dict[str, tuple[Any, Any, list[bool]]] = {
    "1.0 is an integer": ({"type": "integer"}, pa.array([1.0, 1.5, -0.0]), [True, False, True]),
    "1e300 is an integer": ({"type": "integer"}, pa.array([1e300]), [True]),
    "a decimal may be an integer": (
        {"type": "integer"},
        pa.array([Decimal("1.00"), Decimal("1.50")], pa.decimal128(10, 2)),
        [True, False],
    ),
    "true is not 1": ({"enum": [1]}, pa.array([True, False]), [False, False]),
    "1 is not true": ({"enum": [True]}, pa.array([1, 0]), [False, False]),
    "a boolean is no number": ({"type": "number"}, pa.array([True]), [False]),
    "-0.0 is 0": ({"enum": [0, 5]}, pa.array([-0.0, 0.0, 1.0]), [True, True, False]),
    "an integer column meets 1.0 and 1.5": (
        {"enum": [1.0, 1.5]},
        pa.array([1, 2]),
        [True, False],
    ),
    "integers beyond 2^53 stay exact": (
        {"maximum": 2**53},
        pa.array([2**53, 2**53 + 1]),
        [True, False],
    ),
    "a double bound on an integer column": (
        {"minimum": 0.5, "maximum": 1e19},
        pa.array([0, 1, 2**63 - 1]),
        [False, True, True],
    ),
    "a bound outside the type": (
        {"minimum": 300},
        pa.array([0, 255], pa.uint8()),
        [False, False],
    ),
    "unsigned 64 bit": (
        {"minimum": -1, "maximum": 2**64 - 2},
        pa.array([0, 2**64 - 1], pa.uint64()),
        [True, False],
    ),
    "a float32 is the double it widens to": (
        {"maximum": 0.1},
        pa.array([0.1], pa.float32()),
        [False],
    ),
    "float16": ({"minimum": 0.5}, pa.array([0.25, 0.5], pa.float16()), [False, True]),
    "NaN is never valid": ({"type": "number"}, pa.array([NAN, 1.0]), [False, True]),
    "NaN is not valid under not": (
        {"not": {"minimum": 0}},
        pa.array([NAN, -1.0]),
        [False, True],
    ),
    "an infinity is never valid": ({"minimum": 0}, pa.array([INFINITY]), [False]),
    "an undeclared NaN is no JSON either": (True, pa.array([NAN, 0.0]), [False, True]),
    "ticks of 0.01 on doubles": (
        {"multipleOf": 0.01},
        pa.array([19.99, 1.005, 0.1 + 0.2, 0.29, 1e300]),
        [True, False, False, True, True],
    ),
    "ticks of 0.05 on decimals": (
        {"multipleOf": 0.05},
        pa.array([Decimal("1.05"), Decimal("1.06")], pa.decimal128(18, 2)),
        [True, False],
    ),
    "0.5 divides every integer": ({"multipleOf": 0.5}, pa.array([3, -7]), [True, True]),
    "1.5 divides the multiples of 3": ({"multipleOf": 1.5}, pa.array([3, 4]), [True, False]),
    "length counts code points": (
        {"minLength": 2, "maxLength": 2},
        pa.array(["😀😀", "é", "ab", "e\u0301"]),
        [True, False, True, True],
    ),
    "$ is the end, not the last line": (
        {"pattern": "^abc$"},
        pa.array(["abc", "abc\n"]),
        [True, False],
    ),
    "white space is Unicode's": ({"pattern": r"^\s$"}, pa.array(["\u00a0", "x"]), [True, False]),
    "digits are ASCII": ({"pattern": r"^\d$"}, pa.array(["1", "\u0661"]), [True, False]),
    "a pattern is searched for": ({"pattern": "b"}, pa.array(["abc", "a"]), [True, False]),
    "lookahead is left to the oracle": (
        {"pattern": "^(?!X)"},
        pa.array(["A", "X"]),
        [True, False],
    ),
    "an undecided item leaves its list undecided": (
        {"items": {"pattern": "^(?!X)", "minLength": 1}},
        pa.array([["A"], ["A", "X"], ["", "X"], None]),
        [True, False, False, True],
    ),
    "an undecided item counts for contains": (
        {"contains": {"pattern": "^(?!X)"}},
        pa.array([["A", "X"], ["X"], []]),
        [True, False, False],
    ),
    "an undecided value of a dictionary": (
        {"pattern": "^(?!X)"},
        pa.array(["A", "X", None, "X"]).dictionary_encode(),
        [True, False, True, False],
    ),
    "an undecided field of a struct": (
        {"properties": {"a": {"pattern": "^(?!X)"}}},
        pa.array([{"a": "A"}, None, {"a": "X"}]),
        [True, True, False],
    ),
    "an undecided branch decides nothing": (
        {"oneOf": [{"pattern": "^(?!X)"}, {"maxLength": 1}]},
        pa.array(["AA", "A", "X", "XX"]),
        [True, False, True, False],
    ),
    "a leap second at midnight only": (
        {"format": "date-time"},
        pa.array(["2016-12-31T23:59:60Z", "2016-12-31T12:00:60Z", "2016-12-31T12:00:59Z"]),
        [True, False, True],
    ),
    "29 February": (
        {"format": "date"},
        pa.array(["2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29"]),
        [True, False, False, True],
    ),
    "a timestamp is a date-time by type": (
        {"type": "string", "format": "date-time"},
        pa.array([1, -1], UTC_NS),
        [True, True],
    ),
    "a timestamp under integer is its nanoseconds": (
        {"type": "integer", "minimum": 0},
        pa.array([1, -1], UTC_NS),
        [True, False],
    ),
    "a timestamp without a zone is no date-time": (
        {"format": "date-time"},
        pa.array([1], pa.timestamp("ns")),
        [False],
    ),
    "a date is a date": ({"format": "date"}, pa.array([0], pa.date32()), [True]),
    "a dictionary is its values": (
        {"enum": ["A"]},
        pa.array(["A", "B", None, "A"]).dictionary_encode(),
        [True, False, True, True],
    ),
    "a null inside a dictionary": (
        {"type": "string"},
        pa.DictionaryArray.from_arrays(pa.array([0, 1]), pa.array(["A", None])),
        [True, True],
    ),
    "a string view": ({"pattern": "^A"}, pa.array(["A", "B"], pa.string_view()), [True, False]),
    "run-end encoding": (
        {"minimum": 1},
        pa.RunEndEncodedArray.from_arrays(pa.array([2, 3], pa.int32()), pa.array([0, 1])),
        [False, False, True],
    ),
    "items of sliced lists": (
        {"items": {"minimum": 1}},
        pa.array([[0], [1], [1, 0], None, []])[1:],
        [True, False, True, True],
    ),
    "a null item is null, not absent": (
        {"items": {"type": "integer"}},
        pa.array([[1, None], [1]]),
        [False, True],
    ),
    "a null struct has no fields": (
        {"properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]},
        pa.array([None, {"a": 0}, {"a": 1}, {"a": None}], pa.struct([("a", pa.int64())])),
        [True, False, True, False],
    ),
    "1 and 1.0 are the same item": (
        {"uniqueItems": True},
        pa.array([[1.0, 1.0], [0.0, -0.0], [1.0, 2.0]]),
        [False, False, True],
    ),
    "null or absent: an optional field": (
        {"type": "integer"},
        pa.array([None, 1]),
        [True, True],
    ),
    "null among the members of an enum": (
        {"enum": ["A", None]},
        pa.array(["A", None, "B"]),
        [True, True, False],
    ),
    "null is no member of an enum without it": (
        {"enum": ["A", ""]},
        pa.array(["", "B", "A"]),
        [True, False, True],
    ),
    "a NUL byte is a character": (
        {"minLength": 2, "enum": ["A\0", "AB"]},
        pa.array(["A\0", "A", "AB"]),
        [True, False, True],
    ),
    "the least and the greatest 64-bit integers": (
        {"minimum": -(2**63), "exclusiveMaximum": 2**63 - 1},
        pa.array([-(2**63), 2**63 - 2, 2**63 - 1]),
        [True, True, False],
    ),
    "a double beyond 2^53 against an exact bound": (
        {"maximum": 2**53 + 1},
        pa.array([2.0**53, 2.0**53 + 2]),
        [True, False],
    ),
    "a decimal of more digits than a double": (
        {"const": 0.1},
        pa.array([Decimal("0.1000000000000000000"), Decimal("0.1000000000000000001")]),
        [True, False],
    ),
    "-0.0 is 0 among many members": (
        {"enum": [0, *range(10, 40)]},
        pa.array([-0.0, 10.0, 9.0]),
        [True, True, False],
    ),
    "-0.0 is not below 0": (
        {"minimum": 0, "multipleOf": 0.01},
        pa.array([-0.0, -0.01]),
        [True, False],
    ),
    "NaN among doubles under oneOf": (
        {"oneOf": [{"minimum": 0}, {"maximum": 0}]},
        pa.array([NAN, 1.0, 0.0]),
        [False, True, False],
    ),
    "true is not 1 among many members": (
        {"enum": [1, 0, "true", None]},
        pa.array([True, False, None]),
        [False, False, True],
    ),
    "a carriage return is an end of line to a dot": (
        {"pattern": "^.$"},
        pa.array(["\r", "\u2028", "a"]),
        [False, False, True],
    ),
    "an alternation binds less than its anchors": (
        {"pattern": "^A|B$"},
        pa.array(["AX", "XB", "X"]),
        [True, True, False],
    ),
    "a surrogate pair is one character": (
        {"pattern": "^\\ud83d\\ude00$"},
        pa.array(["😀", "é"]),
        [True, False],
    ),
    "a duration is the integer of its unit": (
        {"type": "integer", "minimum": 5},
        pa.array([4, 5], pa.duration("ms")),
        [False, True],
    ),
    "binary is base64 text": (
        {"type": "string", "maxLength": 4},
        pa.array([b"foo", b"food"]),
        [True, False],
    ),
    "a map's keys are checked row by row": (
        {"propertyNames": {"maxLength": 1}},
        pa.array([[("a", 1)], [("ab", 1)], [("a", 1), ("a", 2)]], pa.map_(pa.string(), pa.int64())),
        [True, False, False],
    ),
}


@pytest.mark.parametrize("name", TRAPS)
def test_trap(name: str) -> None:
    schema, column, expected = TRAPS[name]
    batch = pa.record_batch({"x": column})
    verdicts = compile_schema({"properties": {"x": schema}}, batch.schema).check(batch)
    assert verdicts.good.to_pylist() == expected
    assert [word == 0 for word in verdicts.reason_mask.to_pylist()] == expected


@pytest.mark.parametrize("rows", [1, 1000, 20_000])
def test_extremes_prove_nothing_about_a_nan(rows: int) -> None:
    column = pa.array([1.0] * (rows - 1) + [NAN])
    batch = pa.record_batch({"x": column})
    schema = {"properties": {"x": {"minimum": 0, "maximum": 2, "multipleOf": 0.01}}}
    verdicts = compile_schema(schema, batch.schema).check(batch)
    assert verdicts.oracle_rows == 0
    assert verdicts.bad_indices.to_pylist() == [rows - 1]
    assert [reason.code for reason in verdicts.reasons(rows - 1)] == ["NONFINITE"]
    sites = compile_schema(schema, batch.schema).sites
    named = [bit for bit, site in enumerate(sites) if site.code == "NONFINITE"]
    assert verdicts.reason_mask.to_pylist()[rows - 1] == 1 << named[0]


def test_no_keyword_is_blamed_for_a_nan() -> None:
    batch = pa.record_batch({"x": pa.array([NAN, 1.0])})
    validator = compile_schema({"properties": {"x": {"type": "string"}}}, batch.schema)
    words = validator.check(batch).reason_mask.to_pylist()
    codes = [
        {site.code for bit, site in enumerate(validator.sites) if (word or 0) >> bit & 1}
        for word in words
    ]
    assert codes == [{"NONFINITE"}, {"TYPE"}]


REQUIRED_OR_NULL = {"required": ["x"], "properties": {"x": {"type": ["integer", "null"]}}}
OPTIONAL_INTEGER = {"properties": {"x": {"type": "integer"}}}
REQUIRED_INTEGER = {"required": ["x"], "properties": {"x": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("schema", "absent", "null", "either"),
    [
        (REQUIRED_OR_NULL, False, True, True),
        (OPTIONAL_INTEGER, True, False, True),
        (REQUIRED_INTEGER, False, False, False),
    ],
)
def test_a_null_cell_reads_as_asked(schema: Any, absent: bool, null: bool, either: bool) -> None:
    cells: Column = pa.array([None], pa.int64())
    batch = pa.record_batch({"x": cells})
    for null_means, expected in zip(NullMeans, [absent, null, either], strict=True):
        verdicts = compile_schema(schema, batch.schema, null_means=null_means).check(batch)
        assert verdicts.good.to_pylist() == [expected]
        assert verdicts.oracle_rows == 0


def test_where_two_keywords_want_different_readings_both_are_tried() -> None:
    schema = {"oneOf": [{"required": ["a"]}, {"properties": {"b": {"minimum": 1}}}]}
    cells: Column = pa.array([None, None, 1, 1], pa.int64())
    batch = pa.record_batch({"a": cells, "b": pa.array([0, 1, 0, 1])})
    verdicts = compile_schema(schema, batch.schema).check(batch)
    assert verdicts.good.to_pylist() == [True, True, True, False]
    assert verdicts.oracle_rows == 2
