"""Bad schemas: each is refused with its reason and its place, soon, and in few words."""

from __future__ import annotations

import pytest

from tests.support.bad_schemas import BAD, GOOD, Bad
from tickmesh.schema import SchemaError, parse_schema, project


@pytest.mark.timeout(30)
@pytest.mark.parametrize("bad", BAD, ids=[bad.name for bad in BAD])
def test_a_bad_schema_is_refused_with_its_reason_and_its_place(bad: Bad) -> None:
    with pytest.raises(SchemaError) as caught:
        parse_schema(bad.text)
    error = caught.value
    assert (error.reason, error.pointer) == (bad.reason, bad.pointer)
    assert 10 < len(error.message) < 1_100
    error.message.encode()


@pytest.mark.timeout(30)
@pytest.mark.parametrize("name", GOOD)
def test_what_only_looks_bad_is_taken(name: str) -> None:
    document = parse_schema(GOOD[name])
    schema = project(document)
    assert isinstance(document.root, dict)
    assert schema.names == list(document.root["properties"])


def test_names_are_unique() -> None:
    assert len({bad.name for bad in BAD}) == len(BAD)
