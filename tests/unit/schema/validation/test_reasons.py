"""Reasons: all of them, with stable codes and pointers, the same from kernels and oracle."""

from __future__ import annotations

import threading
from typing import Any

import pyarrow as pa
import pytest

from tickmesh.schema.validation import (
    Decision,
    FormatMode,
    Method,
    Reason,
    UnsupportedSchemaError,
    compile_schema,
    reasons_of_document,
)

SCHEMA = {
    "type": "object",
    "required": ["ts", "symbol"],
    "properties": {
        "symbol": {"type": "string", "pattern": "^[A-Z]+$", "maxLength": 4},
        "price": {"$ref": "#/$defs/positive"},
        "size": {"$ref": "#/$defs/positive"},
        "ts": {"type": "integer", "minimum": 0},
        "levels": {"type": "array", "items": {"minimum": 1}, "maxItems": 2},
        "book": {
            "type": "object",
            "required": ["bid"],
            "properties": {"bid": {"type": "number"}},
        },
    },
    "$defs": {"positive": {"exclusiveMinimum": 0}},
}
COLUMNS: dict[str, Any] = {
    "symbol": ["GOOD", "toolong", None],
    "price": [1.0, -1.0, 1.0],
    "size": [1, 1, 0],
    "ts": [1, -1, 2],
    "levels": [[1], [1, 0, 2], None],
    "book": pa.array([{"bid": 1.0}, {"bid": None}, None], pa.struct([("bid", pa.float64())])),
}
BATCH = pa.record_batch(COLUMNS)


def named(validator: Any, word: int) -> set[tuple[str, str]]:
    sites = enumerate(validator.sites)
    return {(site.code, site.instance_path) for bit, site in sites if word >> bit & 1}


def test_a_row_is_given_all_its_reasons() -> None:
    verdicts = compile_schema(SCHEMA, BATCH.schema).check(BATCH)
    assert verdicts.bad_count == 2
    assert verdicts.bad_indices.to_pylist() == [1, 2]
    assert not verdicts.all_good
    assert verdicts.reasons(0) == ()
    reasons = verdicts.reasons(1)
    found = {(reason.code, reason.instance_path, reason.schema_path) for reason in reasons}
    assert found == {
        ("PATTERN", "/symbol", "/properties/symbol/pattern"),
        ("MAX_LENGTH", "/symbol", "/properties/symbol/maxLength"),
        ("EXCLUSIVE_MINIMUM", "/price", "/$defs/positive/exclusiveMinimum"),
        ("MINIMUM", "/ts", "/properties/ts/minimum"),
        ("MINIMUM", "/levels/1", "/properties/levels/items/minimum"),
        ("MAX_ITEMS", "/levels", "/properties/levels/maxItems"),
        ("REQUIRED", "/book", "/properties/book/required"),
    }
    assert all(reason.message for reason in verdicts.reasons(1))


def test_the_mask_names_the_same_sites_as_the_text() -> None:
    validator = compile_schema(SCHEMA, BATCH.schema)
    words: list[Any] = validator.check(BATCH).reason_mask.to_pylist()
    assert words[0] == 0
    assert named(validator, words[1]) == {
        ("PATTERN", "/symbol"),
        ("MAX_LENGTH", "/symbol"),
        ("EXCLUSIVE_MINIMUM", "/price"),
        ("MINIMUM", "/ts"),
        ("MINIMUM", "/levels/*"),
        ("MAX_ITEMS", "/levels"),
        ("REQUIRED", "/book"),
    }
    # One definition, two columns: each has its own bit.
    assert named(validator, words[2]) == {("REQUIRED", ""), ("EXCLUSIVE_MINIMUM", "/size")}


def test_rows_the_kernels_leave_open_get_the_bits_of_their_reasons() -> None:
    schema = {"properties": {"x": {"pattern": "^(?!X)", "maxLength": 3}}}
    batch = pa.record_batch({"x": ["A", "X", "XLONG", "LONG"]})
    validator = compile_schema(schema, batch.schema)
    words: list[Any] = validator.check(batch).reason_mask.to_pylist()
    codes = [{code for code, _ in named(validator, word)} for word in words]
    assert codes == [set(), {"PATTERN"}, {"PATTERN", "MAX_LENGTH"}, {"MAX_LENGTH"}]


def test_more_sites_than_bits_share_the_last_one() -> None:
    schema = {"properties": {f"c{i}": {"minimum": 1} for i in range(70)}}
    batch = pa.record_batch({f"c{i}": [1 if i < 66 else 0] for i in range(70)})
    verdicts = compile_schema(schema, batch.schema).check(batch)
    assert verdicts.reason_mask.to_pylist() == [1 << 63]
    assert len(verdicts.reasons(0)) == 4


def test_a_table_of_several_chunks_is_judged_as_one() -> None:
    table = pa.Table.from_batches([BATCH, BATCH.slice(0, 1), BATCH.slice(1)])
    validator = compile_schema(SCHEMA, table.schema)
    verdicts = validator.check(table)
    single = validator.check(BATCH).reason_mask.to_pylist()
    assert verdicts.good.to_pylist() == [True, False, False, True, False, False]
    assert verdicts.reason_mask.to_pylist() == single + single
    assert verdicts.reasons(4) == validator.check(BATCH).reasons(1)


def test_no_rows_are_all_good() -> None:
    validator = compile_schema(SCHEMA, BATCH.schema)
    for rows in (BATCH.slice(0, 0), pa.Table.from_batches([], BATCH.schema)):
        verdicts = validator.check(rows)
        assert verdicts.all_good
        assert verdicts.good.to_pylist() == verdicts.reason_mask.to_pylist() == []
        assert verdicts.bad_indices.to_pylist() == []


def test_other_columns_than_compiled_for_are_refused() -> None:
    validator = compile_schema(SCHEMA, BATCH.schema)
    with pytest.raises(ValueError, match="another Arrow schema"):
        validator.check(BATCH.select(["ts"]))
    with pytest.raises(IndexError):
        validator.check(BATCH).reasons(3)


def test_one_document_is_given_all_its_reasons() -> None:
    schema = '{"required": ["a"], "properties": {"b": {"minimum": 0.1}}}'
    assert reasons_of_document(schema, {"a": 1, "b": 0.1}) == ()
    assert set(reasons_of_document(schema, {"b": 0})) == {
        Reason("MINIMUM", "/b", "/properties/b/minimum", "0 is less than the minimum of 0.1"),
        Reason("REQUIRED", "", "/required", '"a" is a required property'),
    }


def test_format_only_describes_when_asked() -> None:
    batch = pa.record_batch({"x": ["no date"]})
    schema = {"properties": {"x": {"format": "date"}}}
    assert not compile_schema(schema, batch.schema).check(batch).all_good
    annotate = compile_schema(schema, batch.schema, formats=FormatMode.ANNOTATE)
    assert annotate.check(batch).all_good


def test_a_known_schema_is_not_compiled_again() -> None:
    text = '{"properties": {"ts": {"minimum": 0}}}'
    first = compile_schema(text, BATCH.schema)
    assert compile_schema(text, BATCH.schema) is first
    assert compile_schema("".join(text), pa.schema(list(BATCH.schema))) is first
    assert compile_schema(text, BATCH.schema, formats=FormatMode.ANNOTATE) is not first


def test_a_changed_mapping_is_compiled_again() -> None:
    schema = {"properties": {"ts": {"minimum": 0}}}
    assert not compile_schema(schema, BATCH.schema).check(BATCH).all_good
    schema["properties"]["ts"]["minimum"] = -5
    assert compile_schema(schema, BATCH.schema).check(BATCH).all_good


def test_one_validator_serves_many_threads() -> None:
    validator = compile_schema(SCHEMA, BATCH.schema)
    expected = validator.check(BATCH).reason_mask
    found: list[bool] = []

    def judge() -> None:
        found.extend(validator.check(BATCH).reason_mask.equals(expected) for _ in range(50))

    threads = [threading.Thread(target=judge) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 200


@pytest.mark.parametrize(
    ("schema", "column"),
    [
        ({"$schema": "http://json-schema.org/draft-04/schema#"}, pa.array([1])),
        ({"$ref": "http://elsewhere.invalid/schema"}, pa.array([1])),
        (True, pa.array([(1, 2, 3)], pa.month_day_nano_interval())),
    ],
)
def test_what_cannot_be_judged_is_refused_when_compiling(schema: Any, column: Any) -> None:
    batch = pa.record_batch({"x": column})
    with pytest.raises(UnsupportedSchemaError):
        compile_schema(schema, batch.schema)


def test_columns_of_one_name_are_refused() -> None:
    with pytest.raises(UnsupportedSchemaError, match="one name"):
        compile_schema(True, pa.schema([("x", pa.int64()), ("x", pa.int64())]))


def test_an_explanation_names_the_kernel_of_each_keyword() -> None:
    schema = {
        "properties": {
            "symbol": {"type": "string", "pattern": "^[A-Z]+$"},
            "ts": {"minimum": 0},
            "price": {"anyOf": [{"minimum": 0}]},
            "book": {"unevaluatedProperties": False},
        }
    }
    plain = compile_schema(schema, BATCH.schema).explain()
    methods = {(line.instance_path, line.keyword): line.method for line in plain.keywords}
    assert methods["/symbol", "type"] is Method.TYPE
    assert methods["/symbol", "pattern"] is Method.KERNEL
    assert methods["/ts", "minimum"] is Method.STATISTICS
    assert methods["/price", "anyOf"] is Method.COMPOSED
    assert methods["/book", "unevaluatedProperties"] is Method.ROW_ORACLE
    assert {line.nanoseconds_per_row for line in plain.keywords} == {None}
    measured = compile_schema(schema, BATCH.schema).explain(BATCH)
    costs = {line.keyword: line.nanoseconds_per_row for line in measured.keywords}
    assert costs["pattern"] is not None
    assert costs["pattern"] > 0
    assert "(proof: the least value" in str(measured)


def test_an_explanation_says_where_and_why_each_keyword_is_decided_so() -> None:
    schema = {
        "required": ["symbol"],
        "properties": {
            "symbol": {"type": "string", "pattern": "^(?!X)", "maxLength": 6},
            "venue": {"enum": ["A", "B"]},
        },
    }
    arrow_schema = pa.schema(
        [("symbol", pa.string()), ("venue", pa.dictionary(pa.int8(), pa.string()))]
    )
    explanation = compile_schema(schema, arrow_schema).explain()
    lines = {line.keyword: line for line in explanation.keywords}
    assert lines["type"].decision is Decision.STATIC
    assert lines["type"].detail == "every string is valid"
    assert lines["pattern"].decision is Decision.ROW_BY_ROW
    assert lines["pattern"].detail == "the pattern has no exact counterpart in RE2"
    assert lines["maxLength"].decision is Decision.KERNEL
    assert lines["maxLength"].proof == "no text has more bytes"
    assert lines["enum"].proof == "each value of the dictionary once"
    assert lines["required"].proof == "the null counts of the columns are 0"
