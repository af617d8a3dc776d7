"""The Arrow projection, by the vectors that every client language runs."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.conformance.schema.projection_cases import CASES, Case
from tests.support.arrow_description import described
from tickmesh.schema import FieldIds, SchemaError, parse_document, parse_schema, project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILE = Path(__file__).parents[1] / "vectors" / "arrow_projection.json"
VECTORS = json.loads(FILE.read_text(encoding="utf-8"))["vectors"]


def made() -> Iterator[dict[str, Any]]:
    """Every vector as it comes out today."""
    ids: dict[str, FieldIds] = {}
    versions: dict[str, int] = {}
    for group, cases in CASES.items():
        for case in cases:
            before = FieldIds()
            version = 1
            if case.subject != "ticks.test":
                before = ids.get(case.subject, before)
                version = versions[case.subject] = versions.get(case.subject, 0) + 1
            vector, ids[case.subject] = vector_of(case, version, before)
            yield {"name": case.name, "group": group, **vector}


def vector_of(case: Case, version: int, before: FieldIds) -> tuple[dict[str, Any], FieldIds]:
    given = {
        "subject": case.subject,
        "version": version,
        "schema": case.text,
        "references": {name: json.dumps(schema) for name, schema in case.references.items()},
        "field_ids_before": dict(before.ids),
    }
    try:
        after, schema = projected(given)
    except SchemaError as error:
        return {**given, "error": {"reason": error.reason, "pointer": error.pointer}}, before
    return {
        **given,
        "field_ids_after": dict(after.ids),
        "arrow": described(schema),
        "ipc": base64.b64encode(schema.serialize()).decode(),
    }, after


def projected(vector: dict[str, Any]) -> tuple[FieldIds, pa.Schema]:
    references = {name: parse_document(text) for name, text in vector["references"].items()}
    document = parse_schema(vector["schema"], references=references)
    ids = FieldIds(vector["field_ids_before"]).extended(document)
    schema = project(document, subject=vector["subject"], version=vector["version"], field_ids=ids)
    return ids, schema


def named(vector: dict[str, Any]) -> str:
    return f"{vector['group']}: {vector['name']}"


@pytest.mark.parametrize("vector", VECTORS, ids=map(named, VECTORS))
def test_a_schema_projects_to_what_its_vector_says(vector: dict[str, Any]) -> None:
    if "error" in vector:
        with pytest.raises(SchemaError) as caught:
            projected(vector)
        assert vars(caught.value).items() >= vector["error"].items()
        assert caught.value.message
        return
    ids, schema = projected(vector)
    assert dict(ids.ids) == vector["field_ids_after"]
    assert described(schema) == vector["arrow"]


@pytest.mark.parametrize(
    "vector",
    [vector for vector in VECTORS if "ipc" in vector],
    ids=[named(vector) for vector in VECTORS if "ipc" in vector],
)
def test_the_bytes_of_a_vector_are_the_schema_it_describes(vector: dict[str, Any]) -> None:
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(vector["ipc"])))
    assert described(schema) == vector["arrow"]
    assert schema.equals(projected(vector)[1], check_metadata=True)


def test_the_vectors_are_those_of_the_cases(request: pytest.FixtureRequest) -> None:
    """`--update-golden` writes them anew; the bytes may be those of another Arrow release."""
    vectors = list(made())
    assert len({named(vector) for vector in vectors}) == len(vectors)
    if request.config.getoption("--update-golden"):
        lines = ",\n".join(json.dumps(vector, ensure_ascii=False) for vector in vectors)
        FILE.write_text(f'{{"format": 2, "vectors": [\n{lines}\n]}}\n', encoding="utf-8")
    held = json.loads(FILE.read_text(encoding="utf-8"))["vectors"]
    without_bytes = [
        [{key: value for key, value in vector.items() if key != "ipc"} for vector in each]
        for each in (vectors, held)
    ]
    assert without_bytes[0] == without_bytes[1], "run pytest with --update-golden, and look at it"


def test_every_projected_field_has_an_id_of_its_own() -> None:
    for vector in VECTORS:
        if "arrow" in vector:
            found = list(ids_in(vector["arrow"]["fields"]))
            assert len(set(found)) == len(found), vector["name"]
            assert set(found) <= {str(each) for each in vector["field_ids_after"].values()}


def ids_in(fields: list[dict[str, Any]]) -> Iterator[str]:
    for each in fields:
        yield each["metadata"]["tickmesh.field_id"]
        kind = each["type"]
        if isinstance(kind, dict):
            ((_, inner),) = kind.items()
            yield from ids_in(inner if isinstance(inner, list) else [inner])


@pytest.mark.parametrize("levels", [29, 30, 31])
@pytest.mark.parametrize("of", ["struct", "list", "map"])
def test_what_is_taken_is_never_too_deep_for_arrow_readers(of: str, levels: int) -> None:
    wraps: dict[str, Callable[[Any], Any]] = {
        "struct": lambda inner: {"type": "object", "properties": {"a": inner}},
        "list": lambda inner: {"type": "array", "items": inner},
        "map": lambda inner: {"type": "object", "additionalProperties": inner},
    }
    wrapped = wraps[of]
    definitions: dict[str, Any] = {
        f"d{level}": wrapped({"$ref": f"#/$defs/d{level + 1}"}) for level in range(levels)
    }
    definitions[f"d{levels}"] = {"type": "integer"}
    text = json.dumps({"properties": {"f": {"$ref": "#/$defs/d0"}}, "$defs": definitions})
    if levels > 30:
        with pytest.raises(SchemaError) as caught:
            parse_schema(text)
        assert caught.value.reason == "TOO_DEEP"
        assert caught.value.pointer
        return
    schema = project(parse_schema(text))
    value: Any = 7
    for _ in range(levels):
        value = {"struct": {"a": value}, "list": [value], "map": [("k", value)]}[of]
    batch = pa.record_batch([pa.array([value], schema.field("f").type)], schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(batch)
    assert pa.ipc.open_stream(sink.getvalue()).read_all().to_batches() == [batch]
