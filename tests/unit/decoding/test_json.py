"""JSON lines: exactly the documents that stand there, whatever a columnar reader makes of them."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.decoding import decode, lines, map_all, schema_of
from tickmesh.decoding.source_spec import Format, Prefix, SourceSpec, identity_spec

JSONL = identity_spec("jsonl")
NUMBER = {"type": "number"}
INTEGER = {"type": "integer"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a":1,"a":2}', "DUPLICATE_KEY"),
        ('{"a":1,"x":2,"x":3}', "DUPLICATE_KEY"),
        ('{"a":1,"x":{"y":2,"y":3}}', "DUPLICATE_KEY"),
        ('{"a":NaN}', "NONFINITE"),
        ('{"x":[-Infinity]}', "NONFINITE"),
        ('{"a":1', "MALFORMED"),
        ('{"a":01}', "MALFORMED"),
        ('{"a":1}{"a":2}', "MALFORMED"),
        ('{"a":1} null {"a":2}', "MALFORMED"),
        ('{"x":"\\ud800"}', "LONE_SURROGATE"),
        ('{"x":"a\tb"}', "MALFORMED"),
        ("null", "NOT_AN_OBJECT"),
        ("[1]", "NOT_AN_OBJECT"),
        ('{"x":' + "[" * 100_000 + "]" * 100_000 + "}", "MALFORMED"),
        ('{"x":' * 20_000 + "1" + "}" * 20_000, "MALFORMED"),
    ],
)
def test_a_line_that_is_no_record_is_rejected_alone(text: str, code: str) -> None:
    found = map_all(lines('{"a":1}', text, '{"a":3}'), JSONL, schema_of({"a": INTEGER}))
    assert found.table.column("a").to_pylist() == [1, 3]
    (reject,) = found.mapped[0].rejects
    assert (reject.code, reject.line) == (code, 2)
    assert reject.raw == text.encode()
    assert found.mapped[0].record_index.to_pylist() == [0, 2]


@pytest.mark.parametrize(
    ("token", "code", "raw"),
    [
        ('"7"', "NOT_A_NUMBER", "7"),
        ("true", "NOT_A_NUMBER", True),
        ("1.5", "NOT_AN_INTEGER", Decimal("1.5")),
        ("9223372036854775808", "REPR_OVERFLOW", 9223372036854775808),
        ("1e400", "REPR_OVERFLOW", Decimal("1e400")),
        ("[1]", "NOT_A_NUMBER", [1]),
        ('{"b":2}', "NOT_A_NUMBER", {"b": 2}),
    ],
)
def test_an_ill_typed_value_fails_alone_and_keeps_its_raw_value(
    token: str, code: str, raw: object
) -> None:
    content = lines('{"a":1,"b":"x"}', f'{{"a":{token},"b":"y"}}')
    found = map_all(content, JSONL, schema_of({"a": INTEGER, "b": {"type": "string"}}))
    assert found.table.to_pylist() == [{"a": 1, "b": "x"}, {"a": None, "b": "y"}]
    (failure,) = found.mapped[0].failures
    assert (failure.column, failure.code, failure.rows.to_pylist()) == ("a", code, [1])
    assert found.mapped[0].documents([1])[0] == {"a": raw, "b": "y"}


def test_a_whole_number_written_otherwise_is_an_integer_and_counted() -> None:
    found = map_all(lines('{"a":1.0}', '{"a":1e3}', '{"a":-0}'), JSONL, schema_of({"a": INTEGER}))
    assert found.table.column("a").to_pylist() == [1, 1000, 0]
    assert found.coercions["INTEGRAL_NUMBER"] == 2


def test_a_decimal_field_keeps_every_digit_and_refuses_what_it_cannot_keep() -> None:
    price = {"type": "number", "arrow": "decimal128(18, 2)"}
    found = map_all(lines('{"p":1.10}', '{"p":1.105}', '{"p":1e2}'), JSONL, schema_of({"p": price}))
    assert found.table.column("p").to_pylist() == [Decimal("1.10"), None, Decimal("100.00")]
    assert found.failed == {"p REPR_PRECISION": 1}
    assert found.mapped[0].documents([1])[0] == {"p": Decimal("1.105")}


def test_null_is_told_from_absent_where_the_schema_does() -> None:
    document = schema_of({"a": INTEGER, "b": {"type": ["integer", "null"]}}, required=("b",))
    content = lines('{"a":1,"b":1}', '{"a":null,"b":null}', "{}", '{"\\u0061":null,"b":2}')
    found = map_all(content, JSONL, document)
    assert found.failed == {"a NULL": 2, "b ABSENT": 1}
    documents = found.mapped[0].documents(range(4))
    assert documents[1] == {"a": None, "b": None}
    assert documents[2] == {}
    assert documents[3] == {"a": None, "b": 2}


def test_a_null_among_objects_of_a_list_moves_no_value() -> None:
    item = {"type": ["object", "null"], "properties": {"x": INTEGER}}
    document = schema_of({"a": {"type": "array", "items": item}})
    found = map_all(lines('{"a":[null,{"x":1}]}'), JSONL, document)
    assert found.table.column("a").to_pylist() == [[None, {"x": 1}]]


def test_undeclared_fields_are_named_and_counted_or_refused() -> None:
    content = lines('{"a":1}', '{"a":2,"x":1}', '{"a":3,"x":2,"y":{"z":1}}')
    document = schema_of({"a": INTEGER})
    found = map_all(content, JSONL, document)
    assert found.extras == {"x": 2, "y": 1}
    strict = SourceSpec.from_toml('format = "jsonl"\nextras = "quarantine"\nignore = ["y"]')
    found = map_all(content, strict, document)
    assert found.table.column("a").to_pylist() == [1]
    assert found.rejects == {"EXTRA_FIELDS": 2}


def test_the_number_of_different_undeclared_fields_is_bounded() -> None:
    content = lines(*(f'{{"a":1,"x{number}":1}}' for number in range(3_000)))
    found = map_all(content, JSONL, schema_of({"a": INTEGER}))
    assert len(found.extras) == 1_001
    assert found.extras["(others)"] == 2_000


def test_a_log_prefix_is_split_at_its_separators() -> None:
    spec = SourceSpec(format=Format.JSONL, prefix=Prefix(names=("day", "time")))
    content = lines('2024-01-01 10:00 {"a": "x y"}', "oops", '2024-01-01 10:01 {"a": "z"}')
    (batch,) = decode(content, spec)
    assert batch.columns.schema.names == ["json", "prefix.day", "prefix.time"]
    assert batch.columns.column("prefix.time").to_pylist() == ["10:00", "10:01"]
    assert batch.columns.column("json")[0].as_py().rstrip() == '{"a": "x y"}'
    (reject,) = batch.rejects
    assert (reject.code, reject.line, reject.raw) == ("PREFIX", 2, b"oops")


def test_many_clean_lines_and_a_few_bad_ones_stay_aligned() -> None:
    texts = [f'{{"a":{number},"b":{number}.5}}' for number in range(5_000)]
    for number in (0, 77, 1_023, 1_024, 4_999):
        texts[number] = "{"
    texts[500] = '{"a":"500","b":500.5}'
    found = map_all(lines(*texts), JSONL, schema_of({"a": INTEGER, "b": NUMBER}))
    rows = found.table.to_pylist()
    assert len(rows) == 4_995
    for row, index in zip(rows, found.mapped[0].record_index.to_pylist(), strict=True):
        assert row == {"a": None if index == 500 else index, "b": float(f"{index}.5")}
    assert found.rejects == {"MALFORMED": 5}
    assert found.failed == {"a NOT_A_NUMBER": 1}
