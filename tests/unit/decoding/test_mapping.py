"""Mapping: records to rows as the spec says, and everything else reported."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.support.decoding import lines, map_all, schema_of
from tickmesh.decoding.mapping import RowMapper
from tickmesh.decoding.source_spec import SourceSpec, SourceSpecError, identity_spec
from tickmesh.schema.projection import project

LEVEL = schema_of(
    {
        "symbol": {"type": "string"},
        "side": {"type": "string", "enum": ["bid", "ask"]},
        "price": {"type": "number", "arrow": "decimal128(18, 2)"},
        "size": {"type": "number", "arrow": "decimal128(18, 2)"},
    }
)
BOOK = """
format = "jsonl"
[[records]]
name = "depth"
when = { path = "e", equals = "depth" }
explode = [
    { path = "b", constants = { side = "bid" } },
    { path = "a", constants = { side = "ask" } },
]
[records.fields]
symbol = { from = "s" }
price  = { element = 0, cast = "number" }
size   = { element = 1, cast = "number" }
[[skip]]
name = "heartbeat"
when = { path = "e", matches = "^heart" }
[[skip]]
name = "snapshot"
when = { path = "bids", present = true }
"""


def spec(text: str) -> SourceSpec:
    return SourceSpec.from_toml(text)


def csv_spec(*fields: str, head: str = "") -> SourceSpec:
    return spec(
        f'format = "csv"\n{head}\n[[records]]\nname = "r"\n[records.fields]\n' + "\n".join(fields)
    )


def test_one_record_makes_one_row_a_level_in_the_order_of_the_records() -> None:
    content = lines(
        '{"e":"depth","s":"X","b":[["1.10","2"],["1.00","3"]],"a":[["1.20","4"]]}',
        '{"e":"heartbeat"}',
        '{"e":"depth","s":"Y","b":[],"a":[]}',
        '{"e":"depth","s":"Z","b":[],"a":[["9","0"]]}',
        '{"bids":null}',
        '{"e":"trade"}',
        "{",
    )
    found = map_all(content, spec(BOOK), LEVEL)
    (mapped,) = found.mapped
    rows = [tuple(row.values()) for row in found.table.to_pylist()]
    assert rows == [
        ("X", "bid", Decimal("1.10"), Decimal("2.00")),
        ("X", "bid", Decimal("1.00"), Decimal("3.00")),
        ("X", "ask", Decimal("1.20"), Decimal("4.00")),
        ("Z", "ask", Decimal("9.00"), Decimal("0.00")),
    ]
    assert mapped.record_index.to_pylist() == [0, 0, 0, 3]
    assert mapped.skipped == {"heartbeat": 1, "snapshot": 1}
    assert mapped.records_without_rows == 1
    assert [(reject.code, reject.line) for reject in mapped.rejects] == [
        ("UNMAPPED_KIND", 6),
        ("MALFORMED", 7),
    ]


def test_a_bad_level_fails_alone_and_a_bad_array_takes_its_record() -> None:
    content = lines(
        '{"e":"depth","s":"X","b":[["oops","2"],["1.00"]],"a":[]}',
        '{"e":"depth","s":"Y","b":7,"a":[["1","1"]]}',
    )
    found = map_all(content, spec(BOOK), LEVEL)
    (mapped,) = found.mapped
    assert found.table.column("price").to_pylist() == [None, Decimal("1.00")]
    assert found.table.column("size").to_pylist() == [Decimal("2.00"), None]
    assert found.failed == {"price NOT_A_NUMBER": 1}
    assert mapped.documents([0])[0] == {
        "symbol": "X",
        "side": "bid",
        "price": "oops",
        "size": Decimal("2.00"),
    }
    assert [(reject.code, reject.line) for reject in mapped.rejects] == [("NOT_AN_ARRAY", 2)]


def test_every_record_and_row_is_accounted_for() -> None:
    content = lines(
        *['{"e":"depth","s":"X","b":[["1","1"]],"a":[]}', '{"e":"heartbeat"}', "oops"] * 100
    )
    found = map_all(content, spec(BOOK), LEVEL, batch_records=7)
    assert found.records == 300
    rejected = sum(found.rejects.values())
    assert found.rows + found.records_without_rows + rejected + found.skipped["heartbeat"] == 300


def test_kinds_of_csv_records_are_told_by_a_column() -> None:
    text = """
    format = "csv"
    [[records]]
    name = "trade"
    when = { path = "kind", equals = "T" }
    [records.fields]
    price = { from = "value" }
    [[records]]
    name = "quote"
    when = { path = "kind", equals = "Q" }
    [records.fields]
    bid = { from = "value" }
    """
    document = schema_of({"price": {"type": "integer"}, "bid": {"type": "integer"}})
    found = map_all(lines("kind,value", "T,1", "Q,2", "X,3", "T,4"), spec(text), document)
    assert found.table.to_pylist() == [
        {"price": 1, "bid": None},
        {"price": None, "bid": 2},
        {"price": 4, "bid": None},
    ]
    assert found.mapped[0].record_index.to_pylist() == [0, 1, 3]
    assert found.rejects == {"UNMAPPED_KIND": 1}


def test_values_are_replaced_only_as_listed() -> None:
    document = schema_of({"side": {"type": "string", "enum": ["buy", "sell"]}})
    mapping = 'side = { from = "m", values = { B = "buy", S = "sell" } }'
    found = map_all(lines("m", "B", "S", "b", '""'), csv_spec(mapping), document)
    assert found.table.column("side").to_pylist() == ["buy", "sell", None, None]
    assert found.failed == {"side UNMAPPED_VALUE": 2}
    assert found.mapped[0].documents([2])[0] == {"side": "b"}
    assert found.coercions == {"VALUE_MAPPED": 2}


def test_null_values_are_those_listed_and_no_others() -> None:
    document = schema_of({"a": {"type": "integer"}})
    mapping = 'a = { from = "a", null_values = ["0", "NA"] }'
    found = map_all(lines("a", "0", "00", "NA", "null", "5"), csv_spec(mapping), document)
    assert found.table.column("a").to_pylist() == [None, None, None, None, 5]
    assert found.failed == {"a NOT_A_NUMBER": 2}
    assert found.coercions["NULL_VALUE"] == 2


def test_constants_and_the_file_name_fill_fields() -> None:
    document = schema_of(
        {"symbol": {"type": "string"}, "level": {"type": "integer"}, "a": {"type": "integer"}}
    )
    head = "file_name = '(?P<symbol>[a-z]+)_.*'"
    mapped = csv_spec(
        'symbol = { file_name = "symbol", case = "upper" }',
        "level = { constant = 3 }",
        'a = { from = "a" }',
        head=head,
    )
    found = map_all(lines("a", "1", "2"), mapped, document, file_name="aig_2013.csv")
    assert found.table.to_pylist() == [
        {"symbol": "AIG", "level": 3, "a": 1},
        {"symbol": "AIG", "level": 3, "a": 2},
    ]
    with pytest.raises(SourceSpecError, match="does not match"):
        map_all(lines("a", "1"), mapped, document, file_name="2013.csv")


def test_a_scaled_integer_column_holds_the_digits() -> None:
    document = schema_of({"p": {"type": "number", "arrow": "scaled_int64(4)"}})
    found = map_all(lines("p", "47.5", "47.50001", "1e3"), identity_spec("csv"), document)
    assert found.table.column("p").to_pylist() == [475_000, None, 10_000_000]
    assert found.failed == {"p REPR_PRECISION": 1}


def test_a_field_of_several_types_keeps_its_json() -> None:
    document = schema_of({"v": {"type": ["string", "integer"]}})
    content = lines('{"v":"7"}', '{"v":7}', "{}", '{"v":null}')
    found = map_all(content, identity_spec("jsonl"), document)
    assert found.table.column("v").to_pylist() == ['"7"', "7", None, "null"]


def test_booleans_are_true_and_false_and_nothing_else() -> None:
    document = schema_of({"b": {"type": "boolean"}})
    found = map_all(lines("b", "true", "false", "1", "True"), identity_spec("csv"), document)
    assert found.table.column("b").to_pylist() == [True, False, None, None]
    assert found.failed == {"b NOT_A_BOOLEAN": 2}


def test_an_integer_instant_reads_as_the_integer_it_is() -> None:
    document = schema_of({"t": {"type": "integer", "arrow": "timestamp[ns, UTC]"}})
    found = map_all(lines('{"t":1500}'), identity_spec("jsonl"), document)
    assert found.mapped[0].documents([0])[0] == {"t": 1500}
    found = map_all(lines("t", "1500"), identity_spec("csv"), document)
    assert found.mapped[0].documents([0])[0] == {"t": 1500}


def test_nested_values_are_converted_part_by_part() -> None:
    document = schema_of(
        {
            "o": {
                "type": "object",
                "properties": {
                    "t": {"type": "string", "format": "date-time"},
                    "l": {"type": "array", "items": {"type": "integer"}},
                },
            }
        }
    )
    content = lines(
        '{"o":{"t":"2024-01-31T09:30:00Z","l":[1,2]}}',
        '{"o":{"t":"oops","l":[3]}}',
        '{"o":null}',
        "{}",
    )
    found = map_all(content, identity_spec("jsonl"), document)
    assert found.mapped[0].documents([0])[0] == {"o": {"t": "2024-01-31T09:30:00Z", "l": [1, 2]}}
    assert found.failed == {"o NOT_THE_TYPE": 1, "o NULL": 1}


def test_a_spec_that_cannot_fill_the_schema_is_refused_before_any_row() -> None:
    document = schema_of({"a": {"type": "integer"}})
    schema = project(document)
    with pytest.raises(SourceSpecError, match="the schema has no field 'b'; it has a"):
        RowMapper(csv_spec('b = { from = "x" }'), document, schema)
    with pytest.raises(SourceSpecError, match="unit and zone make an instant"):
        RowMapper(csv_spec('a = { from = "x", unit = "ms" }'), document, schema)
    with pytest.raises(SourceSpecError, match="is no value of the type int64"):
        RowMapper(csv_spec('a = { constant = "x" }'), document, schema)


def test_extras_of_csv_are_named_counted_or_refused() -> None:
    document = schema_of({"a": {"type": "integer"}})
    content = lines("a,x,y", "1,,z", "2,3,z")
    assert map_all(content, identity_spec("csv"), document).extras == {"x": 1, "y": 2}
    strict = spec('format = "csv"\nextras = "quarantine"\nignore = ["y"]')
    found = map_all(content, strict, document)
    assert found.table.column("a").to_pylist() == [1]
    assert found.rejects == {"EXTRA_FIELDS": 1}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("csv", lines("f,d", "09:30:00.5Z,7", "23:30:00-05:00,8", "noon,x")),
        (
            "jsonl",
            lines(
                '{"f":"09:30:00.5Z","d":7}',
                '{"f":"23:30:00-05:00","d":8}',
                '{"f":"noon","d":"x"}',
            ),
        ),
    ],
)
def test_times_of_day_and_durations_are_read_exactly(kind: str, content: bytes) -> None:
    schema = schema_of(
        {
            "f": {"type": "string", "format": "time"},
            "d": {"type": "integer", "arrow": "duration[ns]"},
        }
    )
    found = map_all(content, identity_spec(kind), schema)
    documents = found.mapped[0].documents([0, 1])
    assert [each["d"] for each in documents] == [7, 8]
    assert [each["f"] for each in documents] == ["09:30:00.500000000Z", "04:30:00.000000000Z"]
    assert found.failed == {"f NOT_A_TIME": 1, "d NOT_A_NUMBER": 1}


def test_documents_of_rows_hold_what_encoded_columns_stand_for() -> None:
    document = schema_of(
        {
            "p": {"type": "number", "arrow": "scaled_int64(4)"},
            "v": {"type": ["object", "integer"]},
            "m": {"type": "object", "additionalProperties": {"type": "string", "format": "date"}},
        }
    )
    content = lines('{"p":12.5,"v":{"a":[1,"x"]},"m":{"k":"2024-01-31"}}', '{"v":7}')
    found = map_all(content, identity_spec("jsonl"), document)
    assert found.mapped[0].documents([0, 1]) == [
        {"p": Decimal("12.5"), "v": {"a": [1, "x"]}, "m": {"k": "2024-01-31"}},
        {"v": 7},
    ]


def test_scaled_integers_inside_other_types_hold_the_scaled_number() -> None:
    price = {"type": "number", "arrow": "scaled_int64(2)"}
    document = schema_of(
        {
            "s": {"type": "object", "properties": {"p": price}},
            "l": {"type": "array", "items": price},
            "m": {"type": "object", "additionalProperties": price},
        }
    )
    content = lines(
        '{"s":{"p":1.25},"l":[2,0.5],"m":{"a":2,"b":0.75}}',
        '{"m":{"a":0.005}}',
        '{"m":{},"l":[]}',
        "{}",
    )
    found = map_all(content, identity_spec("jsonl"), document)
    assert found.table.to_pylist() == [
        {"s": {"p": 125}, "l": [200, 50], "m": [("a", 200), ("b", 75)]},
        {"s": None, "l": None, "m": None},
        {"s": None, "l": [], "m": []},
        {"s": None, "l": None, "m": None},
    ]
    assert found.failed == {"m REPR_PRECISION": 1}
