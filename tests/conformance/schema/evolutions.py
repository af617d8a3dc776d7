"""Seeded evolutions of realistic tick schemas, and rows to judge them with.

The rows are drawn here, independently of the search inside the checker.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

Schema = dict[str, Any]

_SYMBOLS = ("AAPL", "MSFT", "BRK.B", "X", "BTCUSDT")
_VENUES = ["XNAS", "XNYS", "ARCX", "BATS", "IEXG", "EDGX"]

TRADE: Schema = {
    "type": "object",
    "properties": {
        "ts": {"type": "integer", "minimum": 0},
        "symbol": {"type": "string", "pattern": "^[A-Z.]{1,8}$"},
        "price": {"type": "number", "exclusiveMinimum": 0, "maximum": 1000000},
        "size": {"type": "integer", "minimum": 1},
        "side": {"type": ["string", "null"], "enum": ["B", "S", None]},
        "venue": {"enum": _VENUES[:4]},
        "trade_id": {"type": "string", "maxLength": 16},
        "conditions": {"type": "array", "items": {"type": "string", "maxLength": 4}},
        "source": {
            "type": "object",
            "properties": {"feed": {"type": "string"}, "line": {"type": "integer"}},
            "required": ["feed"],
        },
    },
    "required": ["ts", "symbol", "price"],
}

QUOTE: Schema = {
    "type": "object",
    "properties": {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"$ref": "#/$defs/symbol"},
        "bid": {"$ref": "#/$defs/level"},
        "ask": {"$ref": "#/$defs/level"},
        "seq": {"type": "integer", "minimum": 0},
        "flags": {"type": "array", "items": {"type": "integer"}, "maxItems": 4},
    },
    "required": ["ts", "symbol", "bid"],
    "anyOf": [{"required": ["ask"]}, {"required": ["seq"]}],
    "$defs": {
        "symbol": {"type": "string", "minLength": 1, "maxLength": 12},
        "level": {
            "type": "object",
            "properties": {
                "price": {"type": "number", "minimum": 0, "multipleOf": 0.01},
                "size": {"type": "integer", "minimum": 0},
            },
            "required": ["price", "size"],
        },
    },
}

BOOK: Schema = {
    "type": "object",
    "allOf": [
        {
            "properties": {"ts": {"type": "integer"}, "symbol": {"type": "string"}},
            "required": ["ts", "symbol"],
        },
        {
            "properties": {
                "bids": {"type": "array", "items": {"$ref": "#/$defs/level"}},
                "asks": {"type": "array", "items": {"$ref": "#/$defs/level"}},
                "snapshot": {"type": "boolean"},
                "depth": {"type": "integer", "minimum": 1, "maximum": 50},
            },
            "if": {"properties": {"snapshot": {"const": True}}, "required": ["snapshot"]},
            "then": {"required": ["depth"]},
        },
    ],
    "$defs": {
        "level": {
            "type": "object",
            "properties": {
                "price": {"type": "number"},
                "size": {"type": "number", "minimum": 0},
                "orders": {"type": ["integer", "null"]},
            },
            "required": ["price", "size"],
        }
    },
}

BASES = (TRADE, QUOTE, BOOK)


def evolve(generator: random.Random) -> tuple[Schema, Schema]:
    """Returns a schema and the same after two to five edits."""
    old = copy.deepcopy(generator.choice(BASES))
    for _ in range(generator.randint(0, 3)):
        _edit(old, generator)
    new = copy.deepcopy(old)
    for _ in range(generator.randint(2, 5)):
        _edit(new, generator)
    return old, new


def _structs(schema: Any) -> list[Schema]:
    found: list[Schema] = []
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and schema is not schema.get("if"):
            found.append(schema)
        for key, value in schema.items():
            if key not in ("if", "then", "anyOf", "default", "enum"):
                found += _structs(value)
    elif isinstance(schema, list):
        for member in schema:
            found += _structs(member)
    return found


def _edit(schema: Schema, generator: random.Random) -> None:
    struct = generator.choice(_structs(schema))
    generator.choice(_EDITS)(struct, generator)


def _new_field(struct: Schema, generator: random.Random) -> str:
    name = f"field_{generator.randrange(6)}"
    struct["properties"].setdefault(
        name,
        copy.deepcopy(
            generator.choice(
                [
                    {"type": "integer"},
                    {"type": "number"},
                    {"type": ["string", "null"]},
                    {"type": "boolean"},
                    {"enum": ["a", "b"]},
                    {"type": "object", "properties": {"x": {"type": "integer"}}},
                    {"type": "array", "items": {"type": "number"}},
                ]
            )
        ),
    )
    return name


def _add_optional(struct: Schema, generator: random.Random) -> None:
    _new_field(struct, generator)


def _add_required(struct: Schema, generator: random.Random) -> None:
    name = _new_field(struct, generator)
    struct["required"] = sorted({*struct.get("required", ()), name})


def _add_with_default(struct: Schema, generator: random.Random) -> None:
    name = f"filled_{generator.randrange(4)}"
    struct["properties"][name] = {"type": "integer", "default": generator.randrange(3)}
    if generator.random() < 0.7:
        struct["required"] = sorted({*struct.get("required", ()), name})


def _some(struct: Schema, generator: random.Random) -> str | None:
    names = sorted(struct["properties"])
    return generator.choice(names) if names else None


def _remove(struct: Schema, generator: random.Random) -> None:
    name = _some(struct, generator)
    if name is not None and len(struct["properties"]) > 1:
        del struct["properties"][name]
        struct["required"] = [each for each in struct.get("required", ()) if each != name]


def _require(struct: Schema, generator: random.Random) -> None:
    name = _some(struct, generator)
    if name is not None:
        struct["required"] = sorted({*struct.get("required", ()), name})


def _release(struct: Schema, generator: random.Random) -> None:
    if struct.get("required"):
        struct["required"] = [
            name for name in struct["required"] if name != generator.choice(struct["required"])
        ]


def _close(struct: Schema, generator: random.Random) -> None:
    struct["additionalProperties"] = not struct.get("additionalProperties", True)


def _tie(struct: Schema, generator: random.Random) -> None:
    first, second = _some(struct, generator), _some(struct, generator)
    if first and second and first != second:
        struct["dependentRequired"] = {first: [second]}


def _field(struct: Schema, generator: random.Random) -> Schema | None:
    name = _some(struct, generator)
    field = struct["properties"][name] if name else None
    return field if isinstance(field, dict) and "$ref" not in field else None


def _bound(struct: Schema, generator: random.Random) -> None:
    field = _field(struct, generator)
    if field and field.get("type") in ("integer", "number"):
        bound = generator.choice(["minimum", "maximum"])
        if generator.random() < 0.3:
            field.pop(bound, None)
        else:
            field[bound] = generator.choice([-10, 0, 1, 5, 1000])
            if bound == "maximum":
                field[bound] += 10
        field.pop("default", None)


def _retype(struct: Schema, generator: random.Random) -> None:
    field = _field(struct, generator)
    if field and field.get("type") in ("integer", "number"):
        field["type"] = "number" if field["type"] == "integer" else "integer"
        field.pop("multipleOf", None)


def _nullable(struct: Schema, generator: random.Random) -> None:
    field = _field(struct, generator)
    if field and isinstance(field.get("type"), str) and "enum" not in field:
        field["type"] = [field["type"], "null"]
    elif field and isinstance(field.get("type"), list) and "enum" not in field:
        field["type"] = field["type"][0]


def _enumerate(struct: Schema, generator: random.Random) -> None:
    field = _field(struct, generator)
    if field and "enum" in field and "default" not in field:
        values = {*field["enum"], *generator.sample(_VENUES, 2)}
        if generator.random() < 0.4 and len(field["enum"]) > 1:
            values = set(field["enum"][:-1])
        field["enum"] = sorted(values, key=str)


def _length(struct: Schema, generator: random.Random) -> None:
    field = _field(struct, generator)
    if field and field.get("type") == "string":
        field[generator.choice(["maxLength"])] = generator.choice([2, 8, 20])
    elif field and field.get("type") == "array":
        field[generator.choice(["maxItems"])] = generator.choice([1, 3, 8])


def _annotate(struct: Schema, generator: random.Random) -> None:
    field = _field(struct, generator)
    if field is not None:
        field["description"] = f"note {generator.randrange(9)}"


_EDITS: tuple[Callable[[Schema, random.Random], None], ...] = (
    *(_add_optional, _add_optional, _add_with_default, _add_with_default, _remove, _remove),
    *(_add_required, _require, _release, _release, _close, _close, _tie, _bound, _bound),
    *(_retype, _nullable, _nullable, _enumerate, _enumerate, _length, _annotate),
)


def random_row(schema: Schema, generator: random.Random) -> dict[str, Any]:
    """Returns a row that is often, not always, valid under a schema."""
    row = _value(schema, schema, generator)
    assert isinstance(row, dict)
    return row


def _value(schema: Any, root: Schema, generator: random.Random) -> Any:
    if "$ref" in schema:
        return _value(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root, generator)
    if "enum" in schema:
        return generator.choice(schema["enum"])
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else generator.choice(kinds)
    if kind == "object":
        return _object(schema, root, generator)
    if kind == "array":
        count = generator.choice([0, 1, 1, 2, schema.get("maxItems", 3)])
        return [_value(schema["items"], root, generator) for _ in range(count)]
    if kind == "string":
        if schema.get("format") == "date-time":
            return f"2024-0{generator.randint(1, 9)}-11T09:30:00.{generator.randrange(10**9):09}Z"
        if "pattern" in schema:
            return generator.choice(_SYMBOLS)
        length = generator.choice([1, schema.get("maxLength", 3)])
        return "".join(generator.choice("ABz. é") for _ in range(length))
    if kind == "boolean":
        return generator.random() < 0.5
    return None if kind == "null" else _number(schema, kind, generator)


def _number(schema: Schema, kind: str, generator: random.Random) -> Any:
    low: Any = schema.get("minimum", schema.get("exclusiveMinimum", -20))
    high: Any = schema.get("maximum", low + 2000)
    edge = generator.random()
    if edge < 0.2:
        return low if edge < 0.1 else high
    if kind == "integer":
        return generator.randint(int(low), max(int(low), int(high)))
    if "multipleOf" in schema:
        return round(generator.randint(0, 10**6) * 0.01, 2)
    return generator.uniform(low, max(low, high))


def _object(schema: Schema, root: Schema, generator: random.Random) -> dict[str, Any]:
    row: dict[str, Any] = {}
    needed = {*schema.get("required", ())}
    for part in schema.get("allOf", ()):
        row.update(_object(part, root, generator))
    for name, field in schema.get("properties", {}).items():
        if name in needed or generator.random() < 0.6:
            row[name] = _value(field, root, generator)
    return row
