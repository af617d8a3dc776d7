"""Schema texts, each unlike any other, that are sure to be taken or refused."""

from __future__ import annotations

import json
from typing import Any

_PROPERTIES: dict[str, Any] = {
    "ts": {"type": "string", "format": "date-time"},
    "symbol": {"type": "string"},
    "price": {"type": "number", "exclusiveMinimum": 0},
}


def compatible(unique: str, *, padding: int = 0, **properties: dict[str, Any]) -> str:
    """Trades, told apart by the title, and by further optional properties if there are any."""
    schema: dict[str, Any] = {
        "title": unique,
        "type": "object",
        "properties": {**_PROPERTIES, **properties},
        "required": ["ts", "symbol", "price"],
    }
    if padding:
        schema["description"] = "x" * padding
    return json.dumps(schema)


def breaking(unique: str) -> str:
    """Trades whose symbol can only be one that no row written before has."""
    schema = json.loads(compatible(unique))
    schema["properties"]["symbol"] = {"const": unique}
    return json.dumps(schema)
