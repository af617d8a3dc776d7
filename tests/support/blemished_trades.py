"""Trades in CSV with blemishes of every kind, made from a seed, with what must become of them."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FIRST_NS = 1_700_000_000_000_000_000

SCHEMA = json.dumps(
    {
        "type": "object",
        "required": ["ts", "symbol", "price", "size"],
        "properties": {
            "ts": {"type": "integer", "minimum": 0, "arrow": "timestamp[ns, UTC]"},
            "symbol": {"enum": ["AIG", "MSFT", "IBM"]},
            "price": {"type": "number", "exclusiveMinimum": 0},
            "size": {"type": "integer", "minimum": 1},
        },
    }
)


@dataclass(frozen=True)
class BlemishedTrades:
    """What was written.

    Attributes:
        path: The file.
        rows: Rows below the header.
        good: Good rows as (ts, symbol, price, size), in order.
        reasons: Reason codes and how many rows must have them.
    """

    path: Path
    rows: int
    good: tuple[tuple[int, str, float, int], ...]
    reasons: Counter[str]

    @property
    def bad_rows(self) -> int:
        return self.rows - len(self.good)


def write_blemished_trades(path: Path, *, rows: int, seed: int, copies: int = 1) -> BlemishedTrades:
    """Write a CSV file in which about one row in a hundred is bad.

    Args:
        path: Where to.
        rows: Rows to make.
        seed: What they are made from.
        copies: How often they all stand in the file, for a long one that is quickly made.
    """
    chance = random.Random(seed)
    good: list[tuple[int, str, float, int]] = []
    reasons: Counter[str] = Counter()
    with path.open("wb") as file:
        file.write(b"ts,symbol,price,size\n")
        for row in range(rows):
            ts = FIRST_NS + row
            symbol = chance.choice(["AIG", "MSFT", "IBM"])
            price, size = chance.randint(1, 999_999) / 100, chance.randint(1, 900)
            match chance.randint(0, 500):
                case 0:
                    file.write(b"%d,%s,-%s,%d\n" % (ts, symbol.encode(), b"1.5", size))
                    reasons["EXCLUSIVE_MINIMUM"] += 1
                case 1:
                    file.write(b"%d,%s,12.5\n" % (ts, symbol.encode()))
                    reasons["RAGGED"] += 1
                case 2:
                    file.write(b"%d,NOPE,abc,%d\n" % (ts, size))
                    reasons["ENUM"] += 1
                    reasons["TYPE"] += 1
                case 3:
                    file.write(b"%d,AI\xff,1.0,%d\n" % (ts, size))
                    reasons["BAD_UTF8"] += 1
                case 4:
                    file.write(b"%d,%s,1.0,0\n" % (ts, symbol.encode()))
                    reasons["MINIMUM"] += 1
                case _:
                    file.write(f"{ts},{symbol},{price},{size}\n".encode())
                    good.append((ts, symbol, price, size))
    header, _, body = path.read_bytes().partition(b"\n")
    path.write_bytes(header + b"\n" + body * copies)
    counted = Counter({code: number * copies for code, number in reasons.items()})
    return BlemishedTrades(path, rows * copies, tuple(good) * copies, counted)
