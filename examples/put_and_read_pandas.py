"""Put a pandas frame into the tick store and read a range of it back.

Start a mesh first: `tickmesh up`. Needs `pip install 'tickmesh[pandas]'`.
"""

from __future__ import annotations

import json

import pandas as pd

from tickmesh import RegistryClient, TickClient

SUBJECT = "ticks.example.trades"
SCHEMA = {
    "type": "object",
    "properties": {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"type": "string", "pattern": "^[A-Z.]{1,6}$"},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "size": {"type": "integer", "minimum": 1},
    },
    "required": ["ts", "symbol", "price", "size"],
}


def main() -> None:
    """Register the schema, store three trades, read those of one symbol."""
    trades = pd.DataFrame(
        {
            "ts": pd.to_datetime(
                ["2026-11-20 09:30:00.000000001", "2026-11-20 09:30:00.25", "2026-11-20 09:30:01"],
                format="ISO8601",
            ).tz_localize("America/New_York"),
            "symbol": ["AAPL", "MSFT", "AAPL"],
            "price": [271.49, 472.12, 271.5],
            "size": [100, 20, 300],
        }
    )
    with RegistryClient() as registry, TickClient() as ticks:
        registry.register(SUBJECT, json.dumps(SCHEMA))  # the same text again changes nothing
        receipt = ticks.put(SUBJECT, trades)  # judged, and on disk, when it returns
        print(f"stored {receipt.rows} rows as revision {receipt.dataset_revision}")

        frame = ticks.to_pandas(
            SUBJECT,
            start="2026-11-20 09:30",
            end="2026-11-20 09:31",
            tz="America/New_York",
            symbols=["AAPL"],
            as_of=receipt.dataset_revision,  # what is stored later does not change this answer
        )
    print(frame.tail(2).to_string(index=False))


if __name__ == "__main__":
    main()
