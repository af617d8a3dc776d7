"""Objects, lists and several rows built of one record's columns; parts cut out of texts."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from tests.support.decoding import lines, map_all, schema_of
from tests.unit.decoding.test_documentation import examples
from tests.unit.decoding.test_tabular import parquet
from tickmesh.decoding.source_spec import SourceSpec, SourceSpecError

TEXT = {"type": "string"}
INTEGER = {"type": "integer"}
NUMBER = {"type": "number", "arrow": "decimal128(18, 2)"}
LEVEL = {"type": "object", "properties": {"price": NUMBER, "size": INTEGER, "side": TEXT}}
DOCUMENT = schema_of(
    {
        "s": TEXT,
        "price": NUMBER,
        "best": LEVEL,
        "levels": {"type": "array", "items": LEVEL},
        "sizes": {"type": "array", "items": INTEGER},
    }
)


def spec_of(fields: str, *, form: str = "csv", head: str = "", more: str = "") -> SourceSpec:
    return SourceSpec.from_toml(
        f'format = "{form}"\n{head}\n[[records]]\nname = "r"\n{more}\n[records.fields]\n{fields}\n'
    )


def documents(content: bytes, spec: SourceSpec) -> list[dict[str, Any]]:
    (mapped,) = map_all(content, spec, DOCUMENT).mapped
    return mapped.documents(range(mapped.batch.num_rows))


def test_every_example_survives_its_toml() -> None:
    for _, text, _ in examples():
        spec = SourceSpec.from_toml(text)
        assert SourceSpec.from_toml(spec.to_toml()) == spec


def test_levels_without_values_are_left_out_and_constants_make_none() -> None:
    spec = spec_of(
        'levels = { numbers = "1..2", item = { fields = { price = { from = "p{}" }, '
        'side = { constant = "bid" } } } }\n'
        'sizes = { items = [{ from = "z" }, { from = "p1", cast = "number" }] }'
    )
    found = documents(lines("p1,p2,z", ",2,", ",,9", "1,2,3"), spec)
    level = {price: {"price": Decimal(price), "side": "bid"} for price in ("1.00", "2.00")}
    assert found == [
        {"levels": [level["2.00"]], "sizes": []},
        {"levels": [], "sizes": [9]},
        {"levels": [level["1.00"], level["2.00"]], "sizes": [3, 1]},
    ]


def test_a_part_that_fails_fails_its_field_alone_and_shows_what_stood_there() -> None:
    spec = spec_of(
        's = { from = "s" }\n'
        'best = { fields = { price = { from = "p" }, size = { from = "z" } } }\n'
        'levels = { items = [{ fields = { price = { from = "p" } } }, '
        '{ fields = { size = { from = "z" } } }] }'
    )
    content = lines("s,p,z", "a,1.005,x", "b,1.00,2")
    (mapped,) = map_all(content, spec, DOCUMENT).mapped
    assert {(each.column, each.code) for each in mapped.failures} == {
        ("best", "REPR_PRECISION"),
        ("levels", "REPR_PRECISION"),
    }
    bad, good = mapped.documents([0, 1])
    assert bad == {
        "s": "a",
        "best": {"price": "1.005", "size": "x"},
        "levels": {"0/price": "1.005", "1/size": "x"},
    }
    assert good["best"] == {"price": Decimal("1.00"), "size": 2}


def test_elements_become_items_by_their_parts_and_a_bad_one_is_found() -> None:
    spec = spec_of(
        'levels = { from = "b", each = { fields = { price = { element = 0, cast = "number" }, '
        'size = { element = 1, cast = "number" } } } }\nsizes = { from = "z", each = {} }',
        form="jsonl",
    )
    content = lines(
        '{"b":[["1.50","2"],["1.00","3"]],"z":[1,2]}',
        '{"b":[["1.50","2"],["x","3"]],"z":[]}',
        '{"b":{"no":"array"}}',
        '{"b":null,"z":[1,"2"]}',
    )
    found = map_all(content, spec, DOCUMENT)
    rows = found.mapped[0].documents(range(4))
    first, second = {"price": Decimal("1.50"), "size": 2}, {"price": Decimal("1.00"), "size": 3}
    assert rows[0] == {"levels": [first, second], "sizes": [1, 2]}
    assert rows[1] == {"levels": {"1/price": '"x"'}, "sizes": []}
    assert rows[2] == {"levels": {"no": "array"}}
    assert rows[3] == {"levels": None, "sizes": [1, "2"]}
    assert found.failed["levels NULL"] == 1
    assert found.failed["levels NOT_A_NUMBER"] == 1
    assert found.failed["sizes NOT_A_NUMBER"] == 1


def test_arrays_of_objects_in_parquet_are_renamed_and_converted() -> None:
    table = pa.table({"l": [[{"p": 1.5, "q": 2.0}, {"p": 0.25, "q": None}], [], None]})
    spec = spec_of(
        'levels = { from = "l", each = { fields = { price = { element = "p" }, '
        'size = { element = "q" } } } }',
        form="parquet",
    )
    found = documents(parquet(table), spec)
    assert found == [
        {"levels": [{"price": Decimal("1.50"), "size": 2}, {"price": Decimal("0.25")}]},
        {"levels": []},
        {},
    ]


def test_rows_side_by_side_keep_their_order_and_leave_out_what_is_not_there() -> None:
    spec = spec_of(
        's = { from = "s" }',
        head='extras = "quarantine"',
        more="",
    )
    text = spec.to_toml() + (
        '[[records.rows]]\nprice = { from = "b", null_values = ["0"] }\n'
        '[[records.rows]]\nprice = { from = "a", null_values = ["0"] }\n'
    )
    content = lines("s,b,a,x", "u,1,2,", "v,0,3,", "w,0,,", "y,bad,4,", "z,5,6,extra")
    found = map_all(content, SourceSpec.from_toml(text), DOCUMENT)
    (mapped,) = found.mapped
    assert [(row.get("s"), row.get("price")) for row in mapped.documents(range(found.rows))] == [
        ("u", Decimal("1.00")),
        ("u", Decimal("2.00")),
        ("v", Decimal("3.00")),
        ("y", "bad"),
        ("y", Decimal("4.00")),
    ]
    assert mapped.record_index.to_pylist() == [0, 0, 1, 3, 3]
    assert found.rejects == {"EXTRA_FIELDS": 1}
    assert found.records_without_rows == 1
    assert found.extras == {"x": 1}


def test_json_rows_side_by_side_too() -> None:
    text = (
        'format = "jsonl"\n[[records]]\nname = "q"\n[records.fields]\ns = { from = "s" }\n'
        '[[records.rows]]\nprice = { from = "b" }\n[[records.rows]]\nprice = { from = "a" }\n'
    )
    content = lines('{"s":"u","b":1,"a":2}', "{", '{"s":"v","a":3}')
    found = map_all(content, SourceSpec.from_toml(text), DOCUMENT)
    rows = found.mapped[0].documents(range(found.rows))
    assert [(row["s"], row["price"]) for row in rows] == [
        ("u", Decimal("1.00")),
        ("u", Decimal("2.00")),
        ("v", Decimal("3.00")),
    ]
    assert found.rejects == {"MALFORMED": 1}
    assert not found.extras


@pytest.mark.parametrize(
    ("part", "values", "failed"),
    [(0, ["ES", "A", ""], 0), (1, ["H24", None, "b"], 1), (-1, ["CME", "A", "b"], 0)],
)
def test_texts_are_cut_at_a_separator(part: int, values: list[str | None], failed: int) -> None:
    spec = spec_of(f's = {{ from = "s", separator = ".", part = {part} }}')
    found = map_all(lines("s", "ES.H24.CME", "A", ".b"), spec, DOCUMENT)
    assert found.table.column("s").to_pylist() == values
    assert found.failed["s NO_SUCH_PART"] == failed
    assert found.coercions["VALUE_EXTRACTED"] == 3 - failed


def test_texts_are_searched_for_an_expression() -> None:
    spec = spec_of("price = { from = \"s\", extract = 'px=(?P<value>[0-9.]+)' }")
    found = map_all(lines("s,t", "qty=1;px=1.50,x", "px=,x", ",x"), spec, DOCUMENT)
    assert found.table.column("price").to_pylist() == [Decimal("1.50"), None, None]
    assert found.failed == {"price NO_SUCH_PART": 1}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ('s = { from = "a", fields = { x = { from = "b" } } }', "exactly one of"),
        ('best = { fields = { nope = { from = "b" } } }', "no part 'nope'"),
        ('s = { fields = { x = { from = "b" } } }', "builds an object"),
        ('s = { items = [{ from = "b" }] }', "builds a list"),
        ('best = { fields = { price = { from = "b" } }, case = "upper" }', "nothing but its parts"),
        ('levels = { numbers = "9..1", item = { from = "a" } }', "such as '1..10'"),
        ('levels = { numbers = "1..2" }', "need each other"),
        ('sizes = { from = "a", each = { from = "b" } }', "elements of the array alone"),
        ('sizes = { from = "a", each = {} }', "holds no arrays"),
        ('s = { from = "a", separator = "." }', "need each other"),
        ("s = { from = \"a\", extract = '(x)' }", "exactly one group"),
        ("s = { from = \"a\", extract = '(?P<value>x)(?=y)' }", "no expression of RE2"),
    ],
)
def test_what_cannot_be_built_is_refused(fields: str, message: str) -> None:
    with pytest.raises(SourceSpecError, match=message.replace("(", r"\(")):
        map_all(lines("a,b", "1,2"), spec_of(fields), DOCUMENT)
