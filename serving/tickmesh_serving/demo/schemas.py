"""The schemas of the demo: how the trades of one exchange feed change over a day."""

from __future__ import annotations

import json

from tickmesh_serving.demo.session import NEW_VENUE, SYMBOLS, VENUES

SUBJECT = "ticks.trades"

_Schema = dict[str, object]


def first() -> _Schema:
    """Version 1: what a trade is."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Trades of one session",
        "type": "object",
        "properties": {
            "ts": {"type": "string", "format": "date-time", "x-tick-role": "event_time"},
            "symbol": {"type": "string", "enum": list(SYMBOLS), "x-tick-role": "symbol"},
            "price": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 1_000_000,
                "x-tick-role": "price",
            },
            "size": {"type": "integer", "minimum": 1, "x-tick-role": "size"},
            "side": {"type": "string", "enum": ["buy", "sell"], "x-tick-role": "side"},
            "venue": {"type": "string", "enum": list(VENUES)},
            "trade_id": {"type": "string", "pattern": "^T[0-9]{10}$"},
            "condition": {"type": "string", "maxLength": 4},
        },
        "required": ["ts", "symbol", "price", "size", "side", "venue", "trade_id"],
    }


def compatible() -> _Schema:
    """An optional field more: rows of version 1 stay valid, and that is proven."""
    return _with(first(), "liquidity", {"type": "string", "enum": ["maker", "taker"]})


def refused() -> _Schema:
    """Round lots only: rows with odd sizes, valid before, would not be."""
    return _with(compatible(), "size", {"type": "integer", "minimum": 100, "x-tick-role": "size"})


def breaking() -> _Schema:
    """A new venue is listed, and block trades of over a hundred thousand shares leave this feed."""
    listed = _with(compatible(), "venue", {"type": "string", "enum": [*VENUES, NEW_VENUE]})
    size = {"type": "integer", "minimum": 1, "maximum": 100_000, "x-tick-role": "size"}
    return _with(listed, "size", size)


def text(schema: _Schema) -> str:
    """The schema as it is registered."""
    return json.dumps(schema, indent=2)


def _with(schema: _Schema, name: str, field: _Schema) -> _Schema:
    properties = schema["properties"]
    assert isinstance(properties, dict)
    return schema | {"properties": properties | {name: field}}
