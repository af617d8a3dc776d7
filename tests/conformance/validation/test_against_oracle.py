"""Generated schemas and batches: no mask differs from a brute-force judgement of each row."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tickmesh.schema.validation import NullMeans, compile_schema

TEXTS = ["", "A", "AA", "a", "BRK.A", "é", "😀", "\n", "A\n", "2024-02-29", "2023-02-29", "T01",
         "2024-01-01T00:00:00Z", "2016-12-31T23:59:60Z", "10.0.0.1", "not", "x" * 20]  # fmt: skip
INTEGERS = [0, 1, -1, 2, 3, 7, 100, 2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)]
DOUBLES = [0.0, -0.0, 1.0, -1.0, 0.5, 0.1, 0.2, 0.1 + 0.2, 1.005, 19.99, 2.0**53, 1e15, 1e300, 1e-9]
DECIMALS = [Decimal(text) for text in ("0.00", "1.00", "1.05", "-1.00", "0.01", "99999999.99")]
INSTANTS = {
    "1970-01-01T00:00:00.000000Z": datetime(1970, 1, 1, tzinfo=UTC),
    "2024-02-29T23:59:59.000001Z": datetime(2024, 2, 29, 23, 59, 59, 1, tzinfo=UTC),
}
DATES = {"1969-12-31": date(1969, 12, 31), "2024-02-29": date(2024, 2, 29)}
BINARIES = {"": b"", "AA==": b"\0", "Zm9v": b"foo"}
PATTERNS = ["^A", "A$", "^[A-Z.]{1,6}$", "[^A-Z]", "^T[0-9]+$", r"\d", r"\s", "^(A|B)*$", "^$", ""]
FORMATS = ["date", "date-time", "ipv4", "time", "uuid", "email", "no-such-format"]

SCALARS = {
    pa.string(): st.sampled_from(TEXTS) | st.text(max_size=4),
    pa.dictionary(pa.int32(), pa.string()): st.sampled_from(TEXTS),
    pa.int64(): st.sampled_from(INTEGERS) | st.integers(-5, 5),
    pa.uint8(): st.integers(0, 255),
    pa.float64(): st.sampled_from(DOUBLES) | st.floats(allow_nan=False, allow_infinity=False),
    pa.decimal128(10, 2): st.sampled_from(DECIMALS),
    pa.bool_(): st.booleans(),
    pa.null(): st.none(),
    pa.large_string(): st.sampled_from(TEXTS) | st.text(max_size=4),
    pa.string_view(): st.sampled_from(TEXTS),
    pa.float32(): st.sampled_from([0.0, -0.0, 0.5, 1.0, -1.5, 2.0**30]),
    pa.uint64(): st.sampled_from([0, 1, 3, 100, 2**53 + 1, 2**63, 2**64 - 1]),
    pa.timestamp("us", "UTC"): st.sampled_from(sorted(INSTANTS)),
    pa.date32(): st.sampled_from(sorted(DATES)),
    pa.binary(): st.sampled_from(sorted(BINARIES)),
}  # fmt: skip
MATCHABLE = [
    data_type
    for data_type in SCALARS
    if not (pa.types.is_boolean(data_type) or pa.types.is_null(data_type))
    and not pa.types.is_temporal(data_type)
    and not pa.types.is_binary(data_type)
]


field_names = st.sampled_from(["a", "b", "x", "y"])


class Entries(dict[str, Any]):
    """The value of a map cell: its null entries are null, never absent."""


@st.composite
def arrow_columns(draw: st.DrawFn, depth: int = 2) -> tuple[pa.DataType, st.SearchStrategy[Any]]:
    """An Arrow type and the values of its cells."""
    nested = ["list", "list", "struct", "struct", "map", "fixed"]
    kind = draw(st.sampled_from(["scalar"] * 8 + nested if depth else ["scalar"]))
    if kind == "scalar":
        data_type, values = draw(st.sampled_from(list(SCALARS.items())))
    elif kind == "list":
        item_type, items = draw(arrow_columns(depth - 1))
        large = draw(st.booleans())
        data_type = pa.large_list(item_type) if large else pa.list_(item_type)
        values = st.lists(items, max_size=3)
    elif kind == "fixed":
        item_type, items = draw(arrow_columns(depth - 1))
        data_type, values = pa.list_(item_type, 2), st.lists(items, min_size=2, max_size=2)
    elif kind == "map":
        item_type, items = draw(arrow_columns(depth - 1))
        data_type = pa.map_(pa.string(), item_type)
        values = st.dictionaries(field_names, items, max_size=2).map(Entries)
    else:
        children = draw(st.lists(arrow_columns(depth - 1), min_size=1, max_size=2))
        names = ["a", "b"][: len(children)]
        data_type = pa.struct(list(zip(names, (child[0] for child in children), strict=True)))
        values = st.fixed_dictionaries(dict(zip(names, (c[1] for c in children), strict=True)))
    return data_type, st.none() | values | values | values


numbers = (
    st.sampled_from(INTEGERS)
    | st.integers(-5, 5)
    | st.sampled_from([0.5, 0.1, 0.01, 0.25, 1.5, -0.5, 1e15])
)
members = (
    st.none()
    | st.booleans()
    | numbers
    | st.sampled_from(TEXTS)
    | st.lists(st.integers(0, 1), max_size=2)
    | st.fixed_dictionaries({"a": st.integers(0, 1)})
)
positive = st.sampled_from([1, 2, 3, 0.01, 0.1, 0.5, 0.25, 7, 0.003])
type_names = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])


def keywords(inner: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    return {
        "type": type_names | st.lists(type_names, min_size=1, max_size=3, unique=True),
        "enum": st.lists(members, min_size=1, max_size=4),
        "const": members,
        "minimum": numbers,
        "maximum": numbers,
        "exclusiveMinimum": numbers,
        "exclusiveMaximum": numbers,
        "multipleOf": positive,
        "minLength": st.integers(0, 3),
        "maxLength": st.integers(0, 3),
        "pattern": st.sampled_from(PATTERNS),
        "format": st.sampled_from(FORMATS),
        "required": st.lists(field_names, max_size=2, unique=True),
        "properties": st.dictionaries(field_names, inner, max_size=3),
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "x|y"]), inner, max_size=1),
        "additionalProperties": inner,
        "propertyNames": st.sampled_from([True, {"pattern": "^[axy]"}, {"maxLength": 0}]),
        "minProperties": st.integers(0, 2),
        "maxProperties": st.integers(0, 2),
        "dependentRequired": st.dictionaries(field_names, st.lists(field_names, max_size=1)),
        "dependentSchemas": st.dictionaries(field_names, inner, max_size=1),
        "unevaluatedProperties": inner,
        "items": inner,
        "prefixItems": st.lists(inner, min_size=1, max_size=2),
        "contains": inner,
        "minContains": st.integers(0, 2),
        "maxContains": st.integers(0, 2),
        "minItems": st.integers(0, 2),
        "maxItems": st.integers(0, 2),
        "uniqueItems": st.booleans(),
        "allOf": st.lists(inner, min_size=1, max_size=2),
        "anyOf": st.lists(inner, min_size=1, max_size=3),
        "oneOf": st.lists(inner, min_size=1, max_size=3),
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "$ref": st.sampled_from(["#/$defs/p", "#/$defs/q", "#"]),
    }


def combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    known = keywords(inner)
    return st.lists(st.sampled_from(sorted(known)), max_size=3, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({name: known[name] for name in chosen})
    )


subschemas: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.just({}), combined, max_leaves=6
)
KEYWORDS = keywords(subschemas)


FITTING = {
    "string": ["enum", "const", "minLength", "maxLength", "pattern", "format", "type"],
    "number": ["enum", "const", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
               "multipleOf", "type"],
}  # fmt: skip


@st.composite
def fitting(draw: st.DrawFn, data_type: pa.DataType) -> Any:
    """A schema whose keywords apply to the cells of a type."""
    text = not (pa.types.is_integer(data_type) or pa.types.is_floating(data_type))
    text = text and not pa.types.is_decimal(data_type)
    names = FITTING["string" if text else "number"]
    chosen = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True))
    schema = {name: draw(KEYWORDS[name]) for name in chosen}
    for keyword in ("enum", "const"):
        if keyword in schema:
            cells = draw(st.lists(SCALARS[data_type] | st.none(), min_size=1, max_size=3))
            schema[keyword] = cells if keyword == "enum" else cells[0]
    if draw(st.booleans()):
        return schema
    other = draw(combined(subschemas))
    return draw(
        st.sampled_from(
            [{"anyOf": [schema, other]}, {"oneOf": [other, schema]}, {"not": schema},
             {"if": other, "then": schema}, {"allOf": [schema, other]}]
        )
    )  # fmt: skip


def or_null(schema: Any) -> Any:
    return {"anyOf": [{"type": "null"}, schema]}


@st.composite
def fitting_cases(draw: st.DrawFn) -> tuple[Any, pa.RecordBatch, list[dict[str, Any]]]:
    """As `cases`, with columns of scalars and keywords that apply to them."""
    columns = draw(st.dictionaries(field_names, st.sampled_from(MATCHABLE), min_size=1))
    root: dict[str, Any] = {
        "properties": {
            name: draw(fitting(data_type) | fitting(data_type).map(or_null))
            for name, data_type in columns.items()
        },
        "$defs": {"p": draw(subschemas), "q": draw(subschemas)},
    }
    presence = ["required", "minProperties", "maxProperties", "dependentRequired", "propertyNames"]
    for keyword in draw(st.lists(st.sampled_from(presence), max_size=2)):
        value = {keyword: draw(KEYWORDS[keyword])}
        wrapper = draw(st.sampled_from(["", "not", "anyOf", "oneOf", "if"]))
        other = {"properties": {draw(field_names): draw(subschemas)}}
        if wrapper in {"anyOf", "oneOf"}:
            root[wrapper] = [value, other]
        elif wrapper == "if":
            root.update({"if": value, "then": other})
        else:
            root.update({"not": value} if wrapper else value)
    cells = {name: st.none() | SCALARS[t] | SCALARS[t] for name, t in columns.items()}
    rows = draw(st.lists(st.fixed_dictionaries(cells), min_size=1, max_size=8))
    arrays = []
    for name, data_type in columns.items():
        arrays.append(column_of([row[name] for row in rows], data_type))
    return root, pa.record_batch(arrays, names=list(columns)), rows


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, pa.RecordBatch, list[dict[str, Any]]]:
    """A schema, a batch, and its rows as JSON with null for every null cell."""
    root = draw(combined(subschemas))
    declared = draw(st.dictionaries(field_names, subschemas, max_size=3))
    root["properties"] = {**root.get("properties", {}), **declared}
    root["$defs"] = {"p": draw(subschemas), "q": draw(subschemas)}
    columns = draw(st.dictionaries(st.sampled_from(["x", "y"]), arrow_columns(), min_size=1))
    rows = draw(
        st.lists(
            st.fixed_dictionaries({name: values for name, (_, values) in columns.items()}),
            min_size=1,
            max_size=4,
        )
    )
    arrays = []
    for name, (data_type, _) in columns.items():
        arrays.append(column_of([row[name] for row in rows], data_type))
    return root, pa.record_batch(arrays, names=list(columns)), rows


def column_of(cells: list[Any], data_type: pa.DataType) -> Any:
    """The JSON values of a column as Arrow."""
    plain = pa.array(
        [arrow_value(cell, data_type) for cell in cells], without_dictionaries(data_type)
    )
    return plain.dictionary_encode() if pa.types.is_dictionary(data_type) else plain


def arrow_value(value: Any, data_type: Any) -> Any:
    if value is None:
        return None
    if pa.types.is_map(data_type):
        return [(key, arrow_value(cell, data_type.item_type)) for key, cell in value.items()]
    if pa.types.is_struct(data_type):
        return {name: arrow_value(cell, data_type.field(name).type) for name, cell in value.items()}
    if isinstance(value, list):
        return [arrow_value(cell, data_type.value_type) for cell in value]
    if pa.types.is_timestamp(data_type):
        return INSTANTS[value]
    if pa.types.is_date(data_type):
        return DATES[value]
    return BINARIES[value] if pa.types.is_binary(data_type) else value


def without_dictionaries(data_type: Any) -> Any:
    if pa.types.is_dictionary(data_type):
        return data_type.value_type
    if pa.types.is_map(data_type):
        return pa.map_(pa.string(), without_dictionaries(data_type.item_type))
    if pa.types.is_large_list(data_type):
        return pa.large_list(without_dictionaries(data_type.value_type))
    if pa.types.is_fixed_size_list(data_type):
        return pa.list_(without_dictionaries(data_type.value_type), data_type.list_size)
    if pa.types.is_list(data_type):
        return pa.list_(without_dictionaries(data_type.value_type))
    if pa.types.is_struct(data_type):
        fields = [data_type.field(i) for i in range(data_type.num_fields)]
        return pa.struct([(field.name, without_dictionaries(field.type)) for field in fields])
    return data_type


def readings(value: Any, null_means: NullMeans) -> list[Any]:
    """Every document a row may stand for."""
    if isinstance(value, Entries):
        entries = [readings(cell, null_means) for cell in value.values()]
        return [dict(zip(value, chosen, strict=True)) for chosen in itertools.product(*entries)]
    if isinstance(value, list):
        items = [readings(item, null_means) for item in value]
        return [list(chosen) for chosen in itertools.product(*items)]
    if not isinstance(value, dict):
        return [value]
    choices = []
    for name, cell in value.items():
        if cell is not None:
            choices.append([{name: reading} for reading in readings(cell, null_means)])
        elif null_means is NullMeans.EITHER:
            choices.append([{name: None}, {}])
        else:
            choices.append([{name: None} if null_means is NullMeans.NULL else {}])
    return [
        {name: cell for part in parts for name, cell in part.items()}
        for parts in itertools.product(*choices)
    ]


@pytest.mark.parametrize("null_means", list(NullMeans))
@given(case=cases() | fitting_cases())
@settings(max_examples=1000, deadline=None)
def test_no_mask_differs_from_the_oracle(
    case: tuple[Any, pa.RecordBatch, list[dict[str, Any]]], null_means: NullMeans
) -> None:
    schema, batch, rows = case
    # A timestamp under `integer` is a number: those readings have tests of their own.
    numeric = "integer" in str(schema) or "number" in str(schema)
    assume(not numeric or "timestamp" not in str(batch.schema))
    oracle = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    expected = [any(map(oracle.is_valid, readings(row, null_means))) for row in rows]
    verdicts = compile_schema(schema, batch.schema, null_means=null_means).check(batch)
    assert verdicts.good.to_pylist() == expected
    words = verdicts.reason_mask.to_pylist()
    assert [word == 0 for word in words] == expected
    for index, valid in enumerate(expected):
        assert (verdicts.reasons(index) == ()) is valid


def relaid(column: Any, layout: str) -> Any:
    """The same cells in another layout of memory."""
    if layout == "sliced":
        padded = pa.concat_arrays([column[:1], column, column[:2]])
        return padded[1 : 1 + len(column)] if len(column) else column
    return column


@given(
    case=cases() | fitting_cases(),
    layout=st.sampled_from(["sliced", "chunked"]),
    cut=st.integers(0, 4),
)
@settings(max_examples=500, deadline=None)
def test_the_layout_in_memory_changes_nothing(
    case: tuple[Any, pa.RecordBatch, list[dict[str, Any]]], layout: str, cut: int
) -> None:
    schema, batch, _ = case
    validator = compile_schema(schema, batch.schema)
    plain = validator.check(batch)
    if layout == "chunked":
        again = validator.check(pa.Table.from_batches([batch[:cut], batch[cut:]]))
    else:
        columns = [relaid(column, layout) for column in batch.columns]
        again = validator.check(pa.RecordBatch.from_arrays(columns, schema=batch.schema))
    assert again.good.equals(plain.good)
    assert again.reason_mask.equals(plain.reason_mask)
    assert again.oracle_rows <= plain.oracle_rows


@given(case=fitting_cases(), encoding=st.sampled_from(["dictionary", "runs"]))
@settings(max_examples=300, deadline=None)
def test_an_encoding_changes_nothing(
    case: tuple[Any, pa.RecordBatch, list[dict[str, Any]]], encoding: str
) -> None:
    schema, batch, _ = case
    columns = {name: encoded(batch.column(name), encoding) for name in batch.schema.names}
    coded = pa.record_batch(columns)
    plain = compile_schema(schema, batch.schema).check(batch)
    again = compile_schema(schema, coded.schema).check(coded)
    assert again.good.equals(plain.good)
    assert again.reason_mask.equals(plain.reason_mask)


def encoded(column: Any, encoding: str) -> Any:
    if pa.types.is_dictionary(column.type) or pa.types.is_string_view(column.type):
        return column
    if encoding == "dictionary":
        return column.dictionary_encode()
    return pa.RunEndEncodedArray.from_arrays(
        pa.array(range(1, len(column) + 1), pa.int32()), column
    )
