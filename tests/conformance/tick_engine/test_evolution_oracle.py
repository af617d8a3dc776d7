"""T9 against the row oracle: each version of a chain has rows, which are read under every other.

What the engine gives is what `tickmesh.schema.resolve_row` gives row by row. Where the physical
plan of the registry has no way, or a value does not fit its new type, it refuses, and only there.
"""

from __future__ import annotations

import base64
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.types as pt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.ticks import admit
from tickmesh.schema import FieldIds, diff, parse_schema, project, resolve_row
from tickmesh.schema.validation.documents import row_documents
from tickmesh_tickstore.domain.errors import VersionNotReadableError
from tickmesh_tickstore.domain.requests import ScanRequest
from tickmesh_tickstore.domain.stamps import Stamp
from tickmesh_tickstore.engine import MemoryEngine
from tickmesh_tickstore.engine.json_values import array_of
from tickmesh_tickstore.schema_rules import rules_of

if TYPE_CHECKING:
    from tickmesh.schema import SchemaDocument

Schema = dict[str, Any]
Draw = st.DrawFn

NAMES = ("a", "b", "c")
INTEGERS = (0, 1, -1, 255, 256, 2**31, 2**60)
NUMBERS = (0.0, 0.5, -1.25, 0.1, 3.0, 1.5e15)
TEXTS = ("a", "b", "", "aGk=", "2024-05-01T10:00:00Z", 'é"\\')
INSTANTS = ("2024-05-01T10:00:00Z", "1969-12-31T23:59:59.999999999Z")
LEAVES: tuple[tuple[Schema, tuple[Any, ...]], ...] = (
    ({"type": "integer"}, INTEGERS),
    ({"type": "integer", "arrow": "int32"}, (0, -5, 2**31 - 1)),
    ({"type": "integer", "arrow": "uint8"}, (0, 255)),
    ({"type": "number"}, NUMBERS),
    ({"type": "number", "arrow": "float32"}, (0.5, -1.25)),
    ({"type": "number", "arrow": "decimal128(12, 3)"}, ("0.100", "-12.345", "7.000")),
    ({"type": "number", "arrow": "scaled_int64(2)"}, ("0.10", "-12.34", "7.00")),
    ({"type": "string"}, TEXTS),
    ({"type": "string", "arrow": "binary"}, ("aGk=", "")),
    ({"type": "string", "format": "date-time"}, INSTANTS),
    ({"enum": ["a", "b"]}, ("a", "b")),
    ({"type": "boolean"}, (True, False)),
    ({}, (1, 0.5, "a", [1, "x"], {"a": 1}, True)),
)


@st.composite
def field_schemas(draw: Draw, depth: int = 0) -> Schema:
    """The schema of a field; `"values"` holds what it may have, until `text_of` takes it off."""
    kind = draw(st.integers(0, 9 if depth < 2 else 6))
    if kind <= 6:
        leaf, values = draw(st.sampled_from(LEAVES))
        found: Schema = {**leaf, "values": list(values)}
    elif kind == 7:
        found = {"type": "array", "items": draw(field_schemas(depth=depth + 1))}
    elif kind == 8:
        found = {"type": "object", "additionalProperties": draw(field_schemas(depth=depth + 1))}
    else:
        found = draw(structs(depth=depth + 1))
    if "type" in found and "enum" not in found and draw(st.booleans()):
        found["type"] = [found["type"], "null"]
    return found


@st.composite
def structs(draw: Draw, depth: int = 0) -> Schema:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    properties = {name: draw(field_schemas(depth=depth)) for name in names}
    for field in properties.values():
        if draw(st.integers(0, 2)) == 0:
            field["default"] = plain(draw(values_of(field)))
    required = [name for name in names if draw(st.integers(0, 2)) == 0]
    return {"type": "object", "properties": properties, "required": required}


@st.composite
def changed(draw: Draw, schema: Schema) -> Schema:
    """The next version: some fields as they were, others anew, some gone, some added."""
    fresh = draw(structs())
    kept = {name: field for name, field in schema["properties"].items() if draw(st.integers(0, 2))}
    properties = {**fresh["properties"], **kept}
    required = [name for name in properties if name in (*fresh["required"], *schema["required"])]
    return {"type": "object", "properties": properties, "required": required}


def values_of(schema: Schema) -> st.SearchStrategy[Any]:
    """Values of a field's schema; decimals as texts of digits, marked as such."""
    kinds = schema.get("type")
    nullable = isinstance(kinds, list)
    kind = kinds[0] if isinstance(kinds, list) else kinds
    found: st.SearchStrategy[Any]
    if "values" in schema:
        exact = "decimal" in schema.get("arrow", "") or "scaled" in schema.get("arrow", "")
        found = st.sampled_from([Decimal(each) if exact else each for each in schema["values"]])
    elif kind == "array":
        found = st.lists(values_of(schema["items"]), max_size=2)
    elif "properties" in schema:
        found = rows_of(schema)
    else:
        found = st.dictionaries(
            st.sampled_from(["x", "y"]), values_of(schema["additionalProperties"]), max_size=2
        )
    return st.none() | found if nullable else found


def rows_of(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: values_of(field) for name, field in schema["properties"].items()}
    needed = {name: each for name, each in fields.items() if name in schema["required"]}
    rest = {name: each for name, each in fields.items() if name not in schema["required"]}
    return st.fixed_dictionaries(needed, optional=rest)


def plain(value: Any) -> Any:
    """A value without decimals, as schema texts hold them."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def without_values(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {name: without_values(member) for name, member in schema.items() if name != "values"}
    return [without_values(each) for each in schema] if isinstance(schema, list) else schema


@st.composite
def chains(draw: Draw) -> list[tuple[Schema, list[dict[str, Any]]]]:
    """Two to four versions, each with rows written under it."""
    schemas = [draw(structs())]
    for _ in range(draw(st.integers(1, 3))):
        schemas.append(draw(changed(schemas[-1])))
    return [(schema, draw(st.lists(rows_of(schema), min_size=1, max_size=3))) for schema in schemas]


class Version:
    """One version with its rows, as the engine and as the oracle see them."""

    def __init__(self, number: int, schema: Schema, ids: FieldIds, rows: list[Any]) -> None:
        self.document: SchemaDocument = parse_schema(json.dumps(without_values(schema)))
        self.ids = ids.extended(self.document)
        self.stamp = Stamp(str(number), number)
        self.columns = project(self.document, field_ids=self.ids)
        self.batch = pa.record_batch(
            [array_of([row.get(field.name) for row in rows], field) for field in self.columns],
            schema=self.columns,
        )
        # As they are stored: an absent cell and a null one are the same null.
        self.rows = row_documents(self.batch)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(chains())
def test_t9_every_version_is_read_under_every_other_as_the_row_oracle_says(
    chain: list[tuple[Schema, list[dict[str, Any]]]],
) -> None:
    check(chain)


@pytest.mark.long
@settings(
    max_examples=2_000,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(chains())
def test_t9_thousands_of_chains_are_read_as_the_row_oracle_says(
    chain: list[tuple[Schema, list[dict[str, Any]]]],
) -> None:
    check(chain)


def check(chain: list[tuple[Schema, list[dict[str, Any]]]]) -> None:
    ids = FieldIds()
    versions: list[Version] = []
    for number, (schema, rows) in enumerate(chain, 1):
        versions.append(Version(number, schema, ids, rows))
        ids = versions[-1].ids
    for writer in versions:
        engine = MemoryEngine()
        engine.create_dataset(
            "d", stamp=writer.stamp, schema=writer.columns, rules=rules_of(writer.document)
        )
        engine.append("d", writer.batch, stamp=writer.stamp, judge=admit).result(30)
        for reader in versions:
            if reader is not writer:
                compare(engine, writer, reader)
        engine.close()


def compare(engine: MemoryEngine, writer: Version, reader: Version) -> None:
    engine.add_reader(
        "d", stamp=reader.stamp, schema=reader.columns, rules=rules_of(reader.document)
    )
    request = ScanRequest(dataset="d", reader_version=reader.stamp.schema_version)
    impossible = {
        plan.names[0]
        for plan in diff(writer.document, reader.document).columns
        if plan.action == "impossible" or (plan.action == "add" and plan.note)
    }
    if impossible:
        with pytest.raises(VersionNotReadableError):
            engine.plan(request)
    expected = [
        resolve_row(row, writer=writer.document, reader=reader.document) for row in writer.rows
    ]
    for field in reader.columns:
        one = ScanRequest(
            dataset="d",
            reader_version=reader.stamp.schema_version,
            columns=(field.name,),
        )
        cells = [row.get(field.name) for row in expected]
        if field.name in impossible or not all(fits(cell, field) for cell in cells):
            with pytest.raises(VersionNotReadableError):
                engine.scan(one).read_all()
            continue
        found = engine.scan(one).read_all()
        assert found.schema.field(0).equals(field, check_metadata=True)
        found.validate(full=True)
        shown = [row.get(field.name) for row in row_documents(found)]
        assert [normal(cell) for cell in shown] == [normal(cell) for cell in cells]


RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?Z")


def normal(value: Any) -> Any:
    """A value in a form that is equal for equal JSON values and instants; absent is null."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float | Decimal):
        return ("number", number_of(value))
    if isinstance(value, str) and (match := RFC_3339.fullmatch(value)):
        return match[1] + (match[2] or "").rstrip("0").rstrip(".")
    if isinstance(value, dict):
        return {name: normal(member) for name, member in value.items() if member is not None}
    return [normal(item) for item in value] if isinstance(value, list) else value


def number_of(value: Any) -> Decimal:
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def fits(value: Any, field: pa.Field[Any]) -> bool:
    """Whether an Arrow field can hold a JSON value, exactly."""
    kind: Any = field.type
    if value is None:
        return field.nullable
    metadata = field.metadata or {}
    if metadata.get(b"tickmesh.encoding") == b"json":
        return True
    if b"tickmesh.scale" in metadata:
        digits = is_number(value) and number_of(value).scaleb(int(metadata[b"tickmesh.scale"]))
        return (bool(digits) and digits == int(digits) and -(2**63) <= digits < 2**63) or (
            is_number(value) and value == 0
        )
    if pt.is_struct(kind):
        return isinstance(value, dict) and all(
            fits(value.get(member.name), member) for member in kind
        )
    if pt.is_list(kind):
        return isinstance(value, list) and all(fits(item, kind.value_field) for item in value)
    if pt.is_map(kind):
        return isinstance(value, dict) and all(
            fits(member, kind.item_field) for member in value.values()
        )
    if pt.is_boolean(kind):
        return isinstance(value, bool)
    if is_number_type(kind):
        return is_number(value) and number_fits(value, kind)
    if not isinstance(value, str):
        return False
    if pt.is_timestamp(kind):
        return RFC_3339.fullmatch(value) is not None
    return not pt.is_binary(kind) or is_base64(value)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def is_number_type(kind: Any) -> bool:
    return bool(pt.is_integer(kind) or pt.is_floating(kind) or pt.is_decimal(kind))


def number_fits(value: Any, kind: Any) -> bool:
    number = number_of(value)
    if pt.is_integer(kind):
        bits = kind.bit_width - pt.is_signed_integer(kind)
        low = -(2**bits) if pt.is_signed_integer(kind) else 0
        return number == int(number) and low <= number < 2**bits
    if pt.is_decimal(kind):
        return number == round(number, kind.scale) and abs(number) < 10 ** (
            kind.precision - kind.scale
        )
    exact = Decimal(repr(float(number))) == number
    if pt.is_float64(kind):
        return exact and (not isinstance(value, int) or abs(value) <= 2**53)
    with np.errstate(over="ignore"):
        single = float(np.float32(float(number)))
    return exact and single == float(number) and (not isinstance(value, int) or abs(value) <= 2**24)


def is_base64(text: str) -> bool:
    try:
        return base64.b64encode(base64.b64decode(text, validate=True)).decode() == text
    except ValueError:
        return False
