"""The scripts in examples/ do what they say against a running mesh."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.support.mesh import ROOT, mesh_for_the_command_line
from tests.support.shared_data import shared_folder
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"type": "string"},
        "price": {"type": "number"},
        "size": {"type": "integer"},
    },
    "required": ["ts", "symbol", "price", "size"],
}


@pytest.fixture(scope="module", autouse=True)
def _mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with mesh_for_the_command_line(tmp_path_factory.mktemp("mesh")):
        yield


def command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "examples" / name), *arguments]


@contextmanager
def following(name: str, *arguments: str) -> Iterator[Iterator[str]]:
    """The lines of an example that runs until Ctrl-C, which it takes as its ordinary end."""
    with subprocess.Popen(command(name, *arguments), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield (line.rstrip("\n") for line in process.stdout)
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=200)
    assert process.returncode == 0


def ticks(*prices: float) -> pa.Table:
    count = len(prices)
    return pa.table(
        {
            "ts": pa.array(range(count), pa.timestamp("ns", "UTC")),
            "symbol": ["AAPL"] * count,
            "price": pa.array(prices, pa.float64()),
            "size": pa.array([1] * count, pa.int64()),
        }
    )


def test_put_and_read_pandas_can_be_run_again_and_again() -> None:
    for revision in (1, 2):
        done = subprocess.run(
            command("put_and_read_pandas.py"),
            capture_output=True,
            text=True,
            check=True,
            timeout=200,
        )
        first, _, *rows = done.stdout.splitlines()
        assert first == f"stored 3 rows as revision {revision}"
        assert [row.split()[-3:] for row in rows] == [
            ["AAPL", "271.49", "100"],
            ["AAPL", "271.50", "300"],
        ]


def test_follow_schema_changes_tells_what_a_breaking_change_breaks() -> None:
    subject = "follow.trades"
    narrower = {"type": "number", "minimum": 5}
    with RegistryClient() as registry:
        registry.register(subject, json.dumps(SCHEMA))
        with following("follow_schema_changes.py", "follow.") as lines:
            assert next(lines) == f"{subject} version 1: first"
            changed = SCHEMA | {"properties": {**SCHEMA["properties"], "price": narrower}}
            registry.register(subject, json.dumps(changed), allow_breaking=True)
            assert next(lines) == f"{subject} version 2: breaking_change"
            assert next(lines).startswith("  /properties/price/minimum: minimum was added to 5")
            assert next(lines).startswith("  was good before: {")


def test_tail_live_ticks_goes_on_where_it_ended(tmp_path: Path) -> None:
    subject, position = "tail.trades", str(tmp_path / "position")
    with RegistryClient() as registry, TickClient() as store:
        registry.register(subject, json.dumps(SCHEMA))
        store.put(subject, ticks(1.0, 2.0))
        with following("tail_live_ticks.py", subject, position) as lines:
            assert next(lines).startswith("rows: 2, the last: {'symbol': 'AAPL', 'price': 2.0")
            store.put(subject, ticks(3.0))
            assert next(lines).startswith("rows: 1, the last: {'symbol': 'AAPL', 'price': 3.0")
            store.put(subject, ticks(4.0))
            assert next(lines).startswith("rows: 1, the last: {'symbol': 'AAPL', 'price': 4.0")
        with following("tail_live_ticks.py", subject, position) as lines:
            store.put(subject, ticks(5.0, 6.0, 7.0))
            came = next(lines)
        # The position of the last batch may not have been written when Ctrl-C came.
        assert came.startswith(("rows: 1, the last: {'symbol': 'AAPL', 'price': 4.0", "rows: 3"))


def plotted(name: str, picture: Path, *arguments: str) -> list[str]:
    """What an example printed that has drawn a picture."""
    done = subprocess.run(
        command(name, *arguments, "--out", str(picture)),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env={name: value for name, value in os.environ.items() if name != "TICKMESH_SHARED"},
    )
    assert done.returncode == 0, done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000
    return done.stdout.splitlines()


def test_bars_of_generated_ticks_are_plotted(tmp_path: Path) -> None:
    for _ in range(2):  # a second run finds the rows stored
        said = plotted("plot_bars.py", tmp_path / "bars.png")
        assert said[-1].startswith("390 bars of 20,000 trades")


def test_spreads_of_generated_ticks_are_plotted(tmp_path: Path) -> None:
    *_, quoted, effective = plotted("plot_spreads.py", tmp_path / "spreads.png")
    assert quoted.startswith("quoted spread ")
    assert "of 20,000 quotes" in quoted
    assert effective.startswith("effective spread ")


@pytest.mark.real_data
def test_bars_of_a_recorded_day_are_plotted(tmp_path: Path) -> None:
    recordings = str(shared_folder("market-data"))
    cleaned, drawn = plotted("plot_bars.py", tmp_path / "bars.png", recordings)
    assert cleaned.endswith("52,008 rows, 52,008 stored, 0 quarantined, 0 stored before")
    # 121 trades lie outside the session.
    assert drawn.startswith("390 bars of 51,887 trades")


@pytest.mark.real_data
def test_spreads_of_recorded_quotes_and_trades_are_plotted(tmp_path: Path) -> None:
    recordings = str(shared_folder("market-data"))
    *_, quoted, effective = plotted("plot_spreads.py", tmp_path / "spreads.png", recordings)
    assert "of 9,999 quotes" in quoted
    assert "of 0 trades" not in effective
