"""Trades and quotes for the plots: recorded ones where there is a folder of them, else generated.

The folder is an argument of the scripts, or `market-data` in `$TICKMESH_SHARED`. Recorded files go
through the cleaner, by the source specs in `sources/`; a second run finds their rows there already.
"""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from tickmesh import CleanerClient, RegistryClient, TickClient

SOURCES = Path(__file__).parent / "sources"
ROWS = 20_000

_COLUMNS = {
    "ts": {"type": "string", "format": "date-time"},
    "symbol": {"type": "string", "pattern": "^[A-Z]{1,6}$"},
}
_PRICE = {"type": "number", "exclusiveMinimum": 0}
_SIZE = {"type": "integer", "minimum": 1}


@dataclass(frozen=True)
class Recording:
    """A recorded file and how it is read.

    Attributes:
        file: Its name in the folder.
        subject: Whose rows it holds.
        spec: The source spec's name.
    """

    file: str
    subject: str
    spec: str


def arguments(description: str, *, picture: str) -> argparse.Namespace:
    """The folder of recordings, None where there is none, and the picture to write."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("recordings", nargs="?", type=Path, help="folder of recorded files")
    parser.add_argument("--out", type=Path, default=Path(picture), help="the picture to write")
    given = parser.parse_args()
    beside = os.environ.get("TICKMESH_SHARED")
    if given.recordings is None and beside and (Path(beside) / "market-data").is_dir():
        given.recordings = Path(beside) / "market-data"
    return given


def clean(folder: Path, recording: Recording) -> str:
    """Judge a recorded file row by row, keep the good ones; returns their dataset."""
    subject = recording.subject
    with RegistryClient() as registry, CleanerClient() as cleaner:
        registry.register(subject, (SOURCES / f"{subject}.schema.json").read_text())
        job = cleaner.create_job(
            subject,
            upload_id=cleaner.upload(folder / recording.file),
            file_name=recording.file,
            source_spec=(SOURCES / f"{recording.spec}.source.toml").read_text(),
        )
        for moment in cleaner.watch_job(job.id):
            job = moment.job
    balance = job.balance
    print(
        f"{recording.file}: {balance.rows_in:,} rows, {balance.stored:,} stored, "
        f"{balance.quarantined:,} quarantined, {balance.duplicates:,} stored before"
    )
    return subject


def generated_trades() -> str:
    """A day of trades of one stock whose price wanders; returns their dataset."""
    random = np.random.default_rng(7)
    price = 100 * np.exp(np.cumsum(random.normal(0, 2e-5, ROWS)))
    trades = pd.DataFrame(
        {
            "ts": _times(random),
            "symbol": "WAND",
            "price": price.round(2),
            "size": random.geometric(0.01, ROWS),
        }
    )
    properties = {**_COLUMNS, "price": _PRICE, "size": _SIZE}
    return _stored("ticks.example.session_trades", properties, trades)


def generated_quotes() -> str:
    """Bids and offers of the same stock, a cent or two apart; returns their dataset."""
    random = np.random.default_rng(8)
    middle = 100 * np.exp(np.cumsum(random.normal(0, 2e-5, ROWS)))
    half = 0.005 * random.integers(1, 5, ROWS)
    quotes = pd.DataFrame(
        {
            "ts": _times(random),
            "symbol": "WAND",
            "bid_price": (middle - half).round(3),
            "ask_price": (middle + half).round(3),
        }
    )
    properties = {**_COLUMNS, "bid_price": _PRICE, "ask_price": _PRICE}
    return _stored("ticks.example.session_quotes", properties, quotes)


def _times(random: np.random.Generator) -> pd.DatetimeIndex:
    """Instants of one session in New York, in order."""
    opens = pd.Timestamp("2026-11-20 09:30", tz="America/New_York")
    nanoseconds = np.sort(random.integers(0, 23_400 * 10**9, ROWS))
    return opens + pd.to_timedelta(nanoseconds, unit="ns")


def _stored(subject: str, properties: dict[str, object], rows: pd.DataFrame) -> str:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    with RegistryClient() as registry, TickClient() as ticks:
        registry.register(subject, json.dumps(schema))
        if not ticks.datasets(prefix=subject):  # another run has stored them
            ticks.put(subject, rows)
    print(f"{subject}: {len(rows):,} generated rows")
    return subject
