"""The C++ mapping of schemas is the Python one: by drawn schemas, bad ones, and broken texts."""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.conformance.schema.evolutions import evolve
from tests.integration.cpp.drawn_schemas import draw_schema
from tests.integration.cpp.schema_mapper import Given, Mapped, SchemaMapper
from tests.support.bad_schemas import BAD, GOOD, Bad
from tickmesh.schema import FieldIds, SchemaError, parse_document, parse_schema, project

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tickmesh.schema import SchemaDocument

pytestmark = pytest.mark.integration

REGISTRY_ONLY = {
    "INVALID_PATTERN",
    "TOO_MANY_PATTERNS",
    "INVALID_DEFAULT",
    "DEFAULT_CONFLICT",
    "NO_ROW",
}
"""What the registry refuses for the sake of validation, and a mapping need not look at."""

LEVEL = json.dumps(
    {
        "type": "object",
        "properties": {"price": {"$ref": "types.price"}, "size": {"type": "integer"}},
    }
)
PRICE = json.dumps({"type": "number", "arrow": "decimal128(18, 4)"})
DRAFT_07_LEVEL = json.dumps(
    {"$schema": "http://json-schema.org/draft-07/schema#", **json.loads(PRICE)}
)


@pytest.fixture(scope="module")
def mapper() -> Iterator[SchemaMapper]:
    with SchemaMapper() as running:
        yield running


def parsed(given: Given) -> SchemaDocument:
    references = {name: parsed(each) for name, each in given.references.items()}
    return parse_document(given.text, references=references)


def mapped_in_python(given: Given) -> Mapped:
    try:
        document = parsed(given)
        ids = FieldIds(given.field_ids).extended(document)
        schema = project(document, subject=given.subject, version=given.version, field_ids=ids)
    except SchemaError as error:
        return Mapped(code="INVALID_ARGUMENT", reason=error.reason, pointer=error.pointer)
    return Mapped(schema=schema, field_ids=dict(ids.ids))


def check(mapper: SchemaMapper, given: Given) -> bool:
    """Hold both mappings to each other; whether there was a mapping."""
    ours, theirs = mapper.map(given), mapped_in_python(given)
    if ours.reason == "NO_ROW":
        with pytest.raises(SchemaError, match="NO_ROW"):
            parse_schema(
                given.text,
                references={name: parsed(each) for name, each in given.references.items()},
            )
        return False
    if theirs.schema is None:
        if theirs.reason in REGISTRY_ONLY and ours.schema is not None:
            return False
        assert (ours.code, ours.reason, ours.pointer) == (
            theirs.code,
            theirs.reason,
            theirs.pointer,
        ), ours.message
        assert ours.message
        return False
    assert ours.schema is not None, ours
    assert ours.schema.equals(theirs.schema, check_metadata=True), f"{ours.schema}\n{theirs.schema}"
    assert ours.field_ids == theirs.field_ids
    return True


def references_of(text: str) -> Mapping[str, Given]:
    if "types.level" not in text:
        return {}
    if "draft-07" in text:
        return {"types.level": Given(DRAFT_07_LEVEL)}
    return {"types.level": Given(LEVEL, references={"types.price": Given(PRICE)})}


def seeds() -> list[int]:
    """A few that are always the same, and one that is new each time and named by the test."""
    return [
        *range(7),
        int(os.environ.get("TICKMESH_TEST_SEED", random.SystemRandom().getrandbits(32))),
    ]


def test_drawn_schemas_map_alike(mapper: SchemaMapper) -> None:
    """Equal schemas, field ids, reasons and pointers; what is drawn is no trifle."""
    count = {True: 0, False: 0}
    for seed in seeds():
        generator = random.Random(seed)
        ids: Mapping[str, int] = {}
        for number in range(150):
            given = Given(text := draw_schema(generator), references_of(text), version=number + 1)
            given = Given(text, given.references, version=given.version, field_ids=ids)
            try:
                has_mapping = check(mapper, given)
            except AssertionError as error:
                raise AssertionError(
                    f"TICKMESH_TEST_SEED={seed}, number {number}\n{text}"
                ) from error
            count[has_mapping] += 1
            if has_mapping:
                ids = mapper.map(given).field_ids if len(ids) < 500 else {}
    assert count[True] > 300, count
    assert count[False] > 100, count


def test_evolutions_of_realistic_schemas_map_alike(mapper: SchemaMapper) -> None:
    """Field ids of a version go on where those of the one before ended."""
    generator = random.Random(20241)
    for _ in range(40):
        ids: Mapping[str, int] = {}
        for version, schema in enumerate(evolve(generator), start=1):
            given = Given(json.dumps(schema), version=version, field_ids=ids)
            assert check(mapper, given)
            ids = mapper.map(given).field_ids


@pytest.mark.parametrize("bad", BAD, ids=[bad.name for bad in BAD])
def test_a_bad_schema_is_refused_alike(mapper: SchemaMapper, bad: Bad) -> None:
    ours = mapper.map(Given(bad.text))
    if bad.reason in REGISTRY_ONLY and ours.schema is not None:
        return
    assert (ours.code, ours.reason) == ("INVALID_ARGUMENT", bad.reason), ours
    assert ours.pointer == bad.pointer
    assert 10 < len(ours.message) < 1_100


@pytest.mark.parametrize("name", GOOD)
def test_what_only_looks_bad_is_mapped_alike(mapper: SchemaMapper, name: str) -> None:
    assert check(mapper, Given(GOOD[name]))


def test_broken_texts_are_refused_alike(mapper: SchemaMapper) -> None:
    """JSON is read as Python's exact reader reads it: same verdict, reason and place."""
    words = [
        *(
            '"',
            "\\",
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            "1",
            "0",
            "-",
            ".",
            "e",
            "E+",
            "\\u",
            "d8",
            "00",
        ),
        *("true", "null", "nan", " ", "\n", "\x00", "\x1f", "\ufeff", "é", "\U0001f600", "a", "a"),
    ]
    for seed in seeds():
        generator = random.Random(seed)
        for number in range(400):
            value = "".join(generator.choices(words, k=generator.randint(1, 8)))
            quoted = generator.choice(['"%s"', "%s", "[%s]", '{"a":%s,"a":1}', '{"%s":1}']) % value
            text = f'{{"default":{quoted}}}'
            try:
                check(mapper, Given(text))
            except AssertionError as error:
                raise AssertionError(
                    f"TICKMESH_TEST_SEED={seed}, number {number}\n{text!r}"
                ) from error
