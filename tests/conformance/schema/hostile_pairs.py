"""Pairs of schemas made to cost as much as possible, each a break or a question left open."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]


def _record(properties: dict[str, Any], **keywords: Any) -> Schema:
    return {"type": "object", "properties": properties, **keywords}


def _field(schema: Any) -> Schema:
    return _record({"f": schema})


def _nested(leaf: Schema, depth: int) -> Schema:
    return leaf if depth == 0 else _record({"n": _nested(leaf, depth - 1)})


def _one_of(low: int, high: int) -> Schema:
    branches = [_record({"k": {"const": k}}, required=["k"]) for k in range(low, high)]
    return _field({"oneOf": branches})


def _cube(keyword: str) -> Schema:
    plane = [{"oneOf": [{keyword: i * j} for i in range(12)]} for j in range(12)]
    return _field({"oneOf": [{"oneOf": plane} for _ in range(12)]})


def _conditions(step: int, low: int) -> Schema:
    conditions = [
        {
            "if": {"properties": {f"f{i}": {"minimum": low}}, "required": [f"f{i}"]},
            "then": {"required": [f"f{(i + step) % 60}"]},
        }
        for i in range(60)
    ]
    return _record({f"f{i}": {"type": "integer"} for i in range(60)}, allOf=conditions)


def _layers(kind: str, *, depth: int, keyword: str) -> Schema:
    """Definitions that each refer twice to the next: as many paths as 2 to the depth."""
    layers: Schema = {
        f"d{i}": {keyword: [{"$ref": f"#/$defs/d{i + 1}"}, {"$ref": f"#/$defs/d{i + 1}"}]}
        for i in range(depth)
    }
    layers[f"d{depth}"] = {"type": kind}
    return {**_field({"$ref": "#/$defs/d0"}), "$defs": layers}


def _tree(value: Schema) -> Schema:
    """A tree whose nodes know seven kinds of children."""
    children = {f"c{i}": {"$ref": f"#/$defs/{'no'[i % 2]}"} for i in range(7)}
    node = _record({"v": value, **children}, required=["v"])
    other = _record(
        {"w": value, **children, "l": {"type": "array", "items": {"$ref": "#/$defs/n"}}}
    )
    return {"$ref": "#/$defs/n", "$defs": {"n": node, "o": other}}


def _text(pattern: str, **keywords: Any) -> Schema:
    return _field({"type": "string", "pattern": pattern, **keywords})


def _alternatives(count: int, suffix: str) -> Schema:
    return _text("^(" + "|".join(f"a{'b?' * (i % 9)}c{i}" for i in range(count)) + f"){suffix}$")


def _maps(count: int, kind: str) -> Schema:
    return _field(
        {
            "type": "object",
            "patternProperties": {f"^[a-z]*{i}x?": {"type": kind} for i in range(count)},
        }
    )


def _clauses(count: int, *, negated: bool) -> Schema:
    """Clauses over Boolean members, as a solver would get them."""
    clauses = []
    for i in range(count):
        chosen = [(i * 7) % 23, (i * 11 + 3) % 23, (i * 13 + 5) % 23]
        clauses.append(
            {
                "anyOf": [
                    {"properties": {f"b{k}": {"const": (k + i) % 2 == 0}}, "required": [f"b{k}"]}
                    for k in chosen
                ]
            }
        )
    fields = {f"b{k}": {"type": "boolean"} for k in range(23)}
    limits: Any = {"not": {"allOf": clauses}} if negated else {"allOf": clauses}
    return _record(fields, **limits)


def _wide(count: int, kind: str) -> Schema:
    return _record({f"f{i}": {"type": kind, "minimum": i} for i in range(count)})


def _one_wide(count: int, last: str) -> Schema:
    fields: Schema = {f"f{i}": {"type": "number"} for i in range(count)}
    return _record({**fields, f"f{count - 1}": {"type": last}})


def _multiples(step: float, count: int) -> Schema:
    return _field({"type": "number", "allOf": [{"multipleOf": step + i} for i in range(count)]})


def _required(count: int) -> Schema:
    fields = {f"f{i}": {"type": "number"} for i in range(3000)}
    return _record(fields, required=[f"f{i}" for i in range(count)])


def _points(count: int) -> list[Schema]:
    return [{"minimum": place, "maximum": place} for place in range(count)]


PAIRS: dict[str, tuple[Schema, Schema]] = {
    "deep nesting": (_nested({"type": "string"}, 29), _nested({"type": "integer"}, 29)),
    "huge oneOf": (_one_of(0, 1000), _one_of(1, 1000)),
    "oneOf in oneOf in oneOf": (_cube("minimum"), _cube("maximum")),
    "a ring of conditions": (_conditions(1, 5), _conditions(2, 4)),
    "catastrophic pattern": (_text("^(a|b)+$"), _text("^(?=(a+)+$)(a|aa)+b$")),
    "nested repetitions": (_text("^((a+)+)+$", minLength=40), _text("^((a|b)+)+c$")),
    "repetitions of repetitions": (
        _text("^(((a{1,30}){1,30}){1,10})$"),
        _text("^(((a{1,30}){1,30}){1,9})$"),
    ),
    "exponential automaton": (_text("(a|b)*a(a|b){40}"), _text("(a|b)*b(a|b){41}")),
    "exponential automaton against itself": (
        _text("^(a|b|ab|ba)*a(a|b){25}$"),
        _text("^(b|a|ba|ab)*[ab](a|b){25}$"),
    ),
    "hundreds of alternatives": (_alternatives(90, "+"), _alternatives(89, "*")),
    "many patterns at once": (
        _field({"type": "string", "allOf": [{"pattern": f"a{{{i}}}.*b"} for i in range(1, 40)]}),
        _field({"type": "string", "anyOf": [{"pattern": f"c{{{i}}}.*d"} for i in range(1, 40)]}),
    ),
    "look-behind and length": (
        _text("^(a|b|ab)*(?!x)$", minLength=5000),
        _text("^(?:(?=a)a|b)*$(?<!c)", maxLength=6000),
    ),
    "back-references": (_text(r"^(a*)*\1b$"), _text(r"^(a*)*(a*)*\1\2c$")),
    "lengths out of reach": (
        _field({"type": "array", "uniqueItems": True, "minItems": 10**8}),
        _field({"type": "array", "uniqueItems": True, "minItems": 10**9}),
    ),
    "long strings": (
        _field({"type": "string", "minLength": 10**7}),
        _field({"type": "string", "minLength": 10**7 + 1}),
    ),
    "long enums": (
        _field({"enum": [f"v{i}" for i in range(5000)]}),
        _field({"enum": [f"v{i}" for i in range(1, 5000)]}),
    ),
    "enums of objects": (
        _field({"enum": [{"a": i, "b": [i, {"c": i}]} for i in range(4000)]}),
        _field({"enum": [{"a": i, "b": [i, {"c": i}]} for i in range(1, 4000)]}),
    ),
    "enum under not": (
        _field({"not": {"enum": list(range(4000))}}),
        _field({"not": {"enum": list(range(4001))}}),
    ),
    "enum against a slow pattern": (
        _field({"enum": ["a" * (i % 60) + f"{i}" for i in range(3000)]}),
        _text("^(?=(a+)+b)a"),
    ),
    "references that fan out": (
        _layers("number", depth=15, keyword="anyOf"),
        _layers("integer", depth=15, keyword="anyOf"),
    ),
    "references that fan out in oneOf": (
        _layers("number", depth=12, keyword="oneOf"),
        _layers("integer", depth=12, keyword="oneOf"),
    ),
    "references that fan out in allOf": (
        _layers("number", depth=15, keyword="allOf"),
        _layers("integer", depth=15, keyword="allOf"),
    ),
    "a bushy tree": (_tree({"type": "number"}), _tree({"type": "integer"})),
    "overlapping patterns of names": (_maps(60, "number"), _maps(59, "integer")),
    "clauses": (_clauses(90, negated=False), _clauses(91, negated=True)),
    "four thousand fields": (_wide(4_000, "number"), _wide(4_000, "integer")),
    "one of four thousand fields": (_one_wide(4_000, "number"), _one_wide(4_000, "integer")),
    "coprime multiples": (_multiples(1000003, 30), _multiples(0.000001, 30)),
    "a multiple out of range": (
        _field({"type": "number", "multipleOf": 1e-300, "maximum": 1e300}),
        _field({"type": "number", "multipleOf": 1e300, "minimum": 1e-300}),
    ),
    "numbers of a thousand digits": (
        _field({"type": "integer", "minimum": 10**900 + 1, "multipleOf": 10**300 + 7}),
        _field({"type": "integer", "minimum": 10**900 + 2, "multipleOf": 10**299 + 9}),
    ),
    "many required names": (_required(2999), _required(3000)),
    "dependencies of everything on everything": (
        _record({f"f{i}": {} for i in range(100)},
                dependentRequired={f"f{i}": [f"f{(i * 7) % 100}"] for i in range(100)}),
        _record({f"f{i}": {} for i in range(100)},
                dependentRequired={f"f{i}": [f"f{(i * 3) % 100}"] for i in range(100)}),
    ),
    "nested not": (
        _field({"not": {"not": {"not": {"anyOf": _points(300)}}}}),
        _field({"not": {"anyOf": _points(301)}}),
    ),
    "contains of contains": (
        _field({"contains": {"contains": {"contains": {"contains": {"minimum": 5}}}},
                "minItems": 30, "minContains": 20}),
        _field({"contains": {"contains": {"contains": {"contains": {"minimum": 6}}}},
                "minItems": 30, "minContains": 20}),
    ),
    "tuples of tuples": (
        _field({"prefixItems": [{"prefixItems": [{"type": "number"}] * 60}] * 60}),
        _field({"prefixItems": [{"prefixItems": [{"type": "integer"}] * 60}] * 60}),
    ),
}  # fmt: skip
