"""What the prover calls contained is contained: random pairs against random documents."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from tests.conformance.schema.brute_force import refutes_document
from tickmesh.schema import SchemaError, parse_document, parse_schema
from tickmesh.schema.compatibility import Policy, Verdict, compare
from tickmesh.schema.compatibility.containment import Containment
from tickmesh.schema.compatibility.document_proof import DocumentProver
from tickmesh.schema.oracle import OracleUndecidedError, validator_of
from tickmesh.schema.resolution import resolve_row, row_is_valid

if TYPE_CHECKING:
    from tickmesh.schema import SchemaDocument

_NUMBERS = (0, 1, 2, 3, 5, -1, 1.5, 0.5, 0.1, 10)
_STRINGS = ("a", "b", "ab", "AB", "", "foo", "A1", "ABCDE", "2024-01-02", "1.2.3.4")
_PATTERNS = ("^a", "b$", "^[A-Z]+$", "^[A-Z]{1,4}$", "a|b", r"\d", ".")
_TYPES = ("integer", "number", "string", "object", "array", "null", "boolean", ["string", "null"])


def _value(generator: random.Random, depth: int) -> Any:
    kind = generator.random()
    if kind < 0.3:
        return generator.choice(_NUMBERS)
    if kind < 0.5 or depth == 0:
        return generator.choice(_STRINGS)
    if kind < 0.6:
        return generator.choice([True, False, None])
    if kind < 0.8:
        return [_value(generator, depth - 1) for _ in range(generator.randint(0, 3))]
    return {generator.choice("abcd"): _value(generator, depth - 1) for _ in range(3)}


def _schema(generator: random.Random, depth: int) -> Any:
    if generator.random() < 0.05:
        return generator.random() < 0.5

    def inner() -> Any:
        return _schema(generator, depth - 1)

    simple = {
        "type": lambda: generator.choice(_TYPES),
        "minimum": lambda: generator.choice(_NUMBERS),
        "exclusiveMaximum": lambda: generator.choice(_NUMBERS),
        "multipleOf": lambda: generator.choice([1, 2, 3, 0.5, 0.1, 0.01, 0.3]),
        "minLength": lambda: generator.randint(0, 3),
        "maxLength": lambda: generator.randint(0, 3),
        "pattern": lambda: generator.choice(_PATTERNS),
        "enum": lambda: [_value(generator, 1) for _ in range(2)],
        "minItems": lambda: generator.randint(0, 2),
        "uniqueItems": lambda: True,
        "required": lambda: generator.sample("abcd", 2),
        "dependentRequired": lambda: {generator.choice("abcd"): [generator.choice("abcd")]},
        "maxProperties": lambda: generator.randint(0, 3),
    }
    nested = {
        "properties": lambda: {name: inner() for name in generator.sample("abcd", 2)},
        "additionalProperties": lambda: generator.choice([False, inner()]),
        "patternProperties": lambda: {generator.choice(["^a", "b"]): inner()},
        "items": inner,
        "prefixItems": lambda: [inner()],
        "contains": inner,
        "anyOf": lambda: [inner(), inner()],
        "oneOf": lambda: [inner(), inner()],
        "allOf": lambda: [inner(), inner()],
        "not": inner,
        "dependentSchemas": lambda: {generator.choice("abcd"): inner()},
        "unevaluatedProperties": lambda: False,
    }
    offered = simple if depth == 0 else {**simple, **nested}
    chosen = generator.sample(sorted(offered), generator.randint(1, 3))
    schema = {keyword: offered[keyword]() for keyword in chosen}
    if depth and generator.random() < 0.1:
        schema |= {"if": inner(), "then": inner(), "else": inner()}
    return schema


def _related(schema: Any, generator: random.Random) -> Any:
    """Returns a schema near another, so that containment is often true."""
    if isinstance(schema, bool) or not schema:
        return _schema(generator, 1)
    changed = dict(schema)
    keyword = generator.choice(sorted(changed))
    if generator.random() < 0.5:
        del changed[keyword]
    elif isinstance(changed[keyword], (int, float)) and keyword != "multipleOf":
        changed[keyword] = max(0, changed[keyword] + generator.choice([-1, 1]))
    elif isinstance(extra := _schema(generator, 1), dict):
        changed |= extra
    return changed


_NAMES = st.sampled_from(["a", "b", "ab", "p_x"])
_NUMBER = st.sampled_from([*_NUMBERS, 1.0, 2.0, 2**53, 2**53 + 1, 0.3, -0.5])
_SCALAR = st.one_of(st.none(), st.booleans(), _NUMBER, st.sampled_from(_STRINGS))
_JSON = st.recursive(
    _SCALAR,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(_NAMES, inner, max_size=3)
    ),
    max_leaves=6,
)
_COUNT = st.integers(0, 3)


def _keyword_sets(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    reference = st.just({"$ref": "#/$defs/d"})
    inner = st.one_of(inner, inner, reference)
    several = st.lists(inner, min_size=1, max_size=2)
    offered: dict[str, st.SearchStrategy[Any]] = {
        "type": st.sampled_from(_TYPES),
        "properties": st.dictionaries(_NAMES, inner, max_size=3),
        "required": st.lists(_NAMES, max_size=2, unique=True),
        "additionalProperties": st.one_of(st.booleans(), inner),
        "patternProperties": st.dictionaries(
            st.sampled_from(["^a", "b$", "^p_", "."]), inner, max_size=2
        ),
        "propertyNames": st.sampled_from([{"pattern": "^a"}, {"maxLength": 1}, False]),
        "minProperties": _COUNT,
        "maxProperties": _COUNT,
        "dependentRequired": st.dictionaries(_NAMES, st.lists(_NAMES, max_size=1), max_size=1),
        "dependentSchemas": st.dictionaries(_NAMES, inner, max_size=1),
        "unevaluatedProperties": st.one_of(st.booleans(), inner),
        "items": inner,
        "prefixItems": several,
        "minItems": _COUNT,
        "maxItems": _COUNT,
        "uniqueItems": st.booleans(),
        "contains": inner,
        "minContains": _COUNT,
        "maxContains": _COUNT,
        "unevaluatedItems": st.one_of(st.booleans(), inner),
        "minimum": _NUMBER,
        "exclusiveMaximum": _NUMBER,
        "multipleOf": st.sampled_from([1, 2, 3, 0.5, 0.1, 0.3]),
        "minLength": _COUNT,
        "maxLength": _COUNT,
        "pattern": st.sampled_from(_PATTERNS),
        "enum": st.lists(_JSON, min_size=1, max_size=3),
        "const": _JSON,
        "anyOf": several,
        "oneOf": several,
        "allOf": several,
        "not": inner,
        "if": inner,
        "then": inner,
        "else": inner,
        "default": _SCALAR,
    }
    return st.lists(st.sampled_from(sorted(offered)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: offered[name] for name in names})
    )


_SCHEMA = st.recursive(st.booleans() | _keyword_sets(st.booleans()), _keyword_sets, max_leaves=8)


@st.composite
def _pairs(draw: st.DrawFn) -> tuple[Any, Any]:
    """Two schemas that differ at one place, or not at all in what they say."""
    shared = draw(_keyword_sets(_SCHEMA))
    changed = dict(shared)
    drops = draw(st.booleans())
    if changed and drops:
        del changed[draw(st.sampled_from(sorted(changed)))]
    changed |= draw(_keyword_sets(st.booleans()))
    definitions = {"$defs": {"d": draw(_SCHEMA)}}
    pair = [{**shared, **definitions}, {**changed, **definitions}]
    if draw(st.booleans()):
        pair.reverse()
    return pair[0], pair[1]


def _as_rows(schema: Any) -> Any:
    return {"type": "object", "properties": {"f": schema, "g": {"type": "integer"}}}


def _moved(pair: tuple[Any, Any]) -> tuple[Any, Any]:
    """The same schemas as those of a field, their definitions at the root."""
    rows = []
    for schema in pair:
        field = {key: value for key, value in schema.items() if key != "$defs"}
        rows.append({**_as_rows(field), "$defs": schema["$defs"]})
    return rows[0], rows[1]


def _parsed(pair: tuple[Any, Any], parse: Any) -> tuple[SchemaDocument, SchemaDocument]:
    try:
        return parse(json.dumps(pair[0])), parse(json.dumps(pair[1]))
    except SchemaError:
        reject()


@settings(max_examples=250, deadline=None)
@given(_pairs(), st.lists(_JSON, min_size=20, max_size=40))
def test_no_document_contradicts_a_verdict(pair: tuple[Any, Any], documents: list[Any]) -> None:
    old, new = _parsed(pair, parse_document)
    report = compare(old, new, policy=Policy.CONTAINMENT)
    if report.verdict is Verdict.COMPATIBLE:
        writer = validator_of(old, annotate_formats=True)
        reader = validator_of(new, annotate_formats=True)
        for document in documents:
            assert not writer.is_valid(document) or reader.is_valid(document), document
    for change in report.comparisons[0].changes:
        if change.verdict is Verdict.INCOMPATIBLE:
            assert refutes_document(change.witness, *pair), change


@settings(max_examples=250, deadline=None)
@given(_pairs(), st.lists(_JSON, min_size=20, max_size=40))
def test_no_row_contradicts_a_verdict(pair: tuple[Any, Any], values: list[Any]) -> None:
    old, new = _parsed(_moved(pair), parse_schema)
    report = compare(old, new)
    if report.verdict is Verdict.COMPATIBLE:
        for row in ({}, {"f": None}, *({"f": value} for value in values)):
            try:
                if not row_is_valid(row, old):
                    continue
                resolved = resolve_row(row, writer=old, reader=new)
                assert row_is_valid(resolved, new), row
            except OracleUndecidedError:
                continue
    for change in report.comparisons[0].changes:
        if change.kind != "column_cast_impossible" and change.verdict is Verdict.INCOMPATIBLE:
            resolved = resolve_row(change.witness, writer=old, reader=new)
            assert row_is_valid(change.witness, old)
            assert not row_is_valid(resolved, new)


@pytest.mark.parametrize("seed", range(4))
def test_no_document_refutes_a_proven_containment(seed: int) -> None:
    generator = random.Random(seed)
    documents = [_value(generator, 3) for _ in range(400)]
    documents += [step / 10 for step in range(-20, 120)]
    proven = 0
    for _ in range(1500):
        left = _schema(generator, 2)
        pair = [left, _related(left, generator)]
        if generator.random() < 0.5:
            pair.reverse()
        try:
            old, new = (parse_document(json.dumps(each)) for each in pair)
        except SchemaError:
            continue
        if not DocumentProver(Containment(old, new, annotate_formats=True)).prove().proven:
            continue
        proven += 1
        writer = validator_of(old, annotate_formats=True)
        reader = validator_of(new, annotate_formats=True)
        for document in documents:
            if writer.is_valid(document):
                assert reader.is_valid(document), (old.text, new.text, document)
    assert proven > 300
