"""What the prover calls contained is contained: random pairs against random documents."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from tickmesh.schema import SchemaError, parse_document
from tickmesh.schema.compatibility.containment import Containment
from tickmesh.schema.compatibility.document_proof import DocumentProver
from tickmesh.schema.oracle import validator_of

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
