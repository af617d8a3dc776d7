"""Tick schemas for tests of the registry."""

from __future__ import annotations

import json
from typing import Any


def trades(*, required: tuple[str, ...] = (), **properties: dict[str, Any]) -> str:
    """A schema of trades with further properties, some of them required."""
    return json.dumps(
        {
            "type": "object",
            "properties": {
                "ts": {"type": "string", "format": "date-time"},
                "symbol": {"type": "string"},
                "price": {"type": "number", "exclusiveMinimum": 0},
                **properties,
            },
            "required": ["ts", "symbol", "price", *required],
        }
    )


TRADES = trades()
