"""`tickmesh ticks get --where`, latest, asof, bars, sql: what they print, and how they refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from tests.integration.command_line.conftest import ROWS, SCHEMA, write_schema, write_trades

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.command_line.conftest import Tickmesh

pytestmark = pytest.mark.integration

ROLES = {
    **SCHEMA,
    "properties": {
        **SCHEMA["properties"],
        "ts": {**SCHEMA["properties"]["ts"], "x-tick-role": "event_time"},
        "symbol": {**SCHEMA["properties"]["symbol"], "x-tick-role": "symbol"},
        "price": {**SCHEMA["properties"]["price"], "x-tick-role": "price"},
        "size": {**SCHEMA["properties"]["size"], "x-tick-role": "size"},
    },
}


@pytest.fixture
def dataset(tickmesh: Tickmesh, subject: str, tmp_path: Path) -> str:
    """A hundred trades of a subject whose columns have roles."""
    write_schema(tmp_path / "roles.json", ROLES)
    assert tickmesh(f"schema register {subject} roles.json").code == 0
    write_trades(tmp_path / "good.csv", rows=ROWS)
    assert tickmesh(f"ticks put good.csv --subject {subject}").code == 0
    return subject


def test_rows_are_chosen_by_a_condition(tickmesh: Tickmesh, dataset: str) -> None:
    done = tickmesh(
        f"ticks get {dataset} --where \"size > 97 and symbol = 'AAPL'\" --column size --output json"
    )
    assert done.json_lines == [{"size": 98}, {"size": 99}, {"size": 100}]
    zoned = tickmesh(
        f"ticks get {dataset} --where \"ts < timestamp '2026-11-20T09:30:01'\" "
        "--tz America/New_York --output json"
    )
    assert [row["size"] for row in zoned.json_lines] == [1, 61]


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("price >", "character 8"),
        ("symbol = AAPL", "'AAPL'"),
        ("ts > timestamp '2026-11-20T09:30'", "tz="),
    ],
)
def test_a_condition_that_is_none_is_a_mistake_of_the_line(
    tickmesh: Tickmesh, where: str, words: str
) -> None:
    done = tickmesh(f'ticks get ticks.any --where "{where}"')
    assert done.code == 2
    assert "--where" in done.err
    assert words in done.err


def test_a_condition_that_does_not_fit_says_so(tickmesh: Tickmesh, dataset: str) -> None:
    done = tickmesh(f'ticks get {dataset} --where "prize > 1"')
    assert done.code == 1
    assert "'prize'" in done.err
    assert "price" in done.err


def test_the_latest_rows(tickmesh: Tickmesh, dataset: str) -> None:
    (last,) = tickmesh(f"ticks latest {dataset} --output json").json_lines
    assert last["ts"] == "2026-11-20T14:30:59.500000000Z"
    then = tickmesh(
        f"ticks latest {dataset} --at 2026-11-20T09:30:03 --tz America/New_York --rows 2 "
        "--column size --output json"
    )
    assert sorted(row["size"] for row in then.json_lines) == [3, 63]


def test_an_as_of_join(tickmesh: Tickmesh, dataset: str) -> None:
    done = tickmesh(
        f"ticks asof {dataset} {dataset} --column ts --column symbol --right-column size "
        "--exact excluded --tolerance 1s --end 2026-11-20T14:30:02Z --output json"
    )
    # Of the two trades of each second the last committed counts.
    assert [row.get("size") for row in done.json_lines] == [None, None, 61, 61]
    table = tickmesh(f"ticks asof {dataset} {dataset} --by symbol").out.splitlines()
    assert table[-1] == "the first 20 of 100 rows; all with --out FILE.parquet"


def test_bars(tickmesh: Tickmesh, dataset: str, tmp_path: Path) -> None:
    (bar,) = tickmesh(f"ticks bars {dataset} --every 1m --output json").json_lines
    assert (bar["symbol"], bar["trades"], bar["volume"]) == ("AAPL", ROWS, 5050)
    session = tickmesh(
        f"ticks bars {dataset} --every 10s --session 09:30-09:31 --tz America/New_York "
        "--fill previous --out bars.parquet"
    )
    assert session.out == "wrote 6 rows to bars.parquet\n"
    assert pq.read_table(tmp_path / "bars.parquet").num_rows == 6
    assert len(tickmesh(f"ticks bars {dataset} --ticks 10 --output json").json_lines) == 10


def test_sql(tickmesh: Tickmesh, dataset: str) -> None:
    done = tickmesh(
        f"ticks sql 'select count(*) as n from \"{dataset}\" where symbol = $1' "
        "--parameter AAPL --output json"
    )
    assert done.json_lines == [{"n": ROWS}]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("bars d", "expected one of --every 1m"),
        ("bars d --every 1m --ticks 5", "expected one of --every 1m"),
        ("bars d --every soon", "250ms"),
        ("bars d --every 1m --session 09:30-16:00", "--tz"),
        ("bars d --every 1m --session 9-16 --tz UTC", "--session"),
        ("asof d d --tolerance -1s", "--tolerance"),
        ("get d --out rows.xlsx", ".parquet, .csv, .arrow"),
        ("latest d --at yesterday", "--at"),
        ("get d --as-of 1 --snapshot month-end", "one of them"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    tickmesh: Tickmesh, line: str, words: str
) -> None:
    done = tickmesh(f"ticks {line}")
    assert done.code in {1, 2}
    assert words in done.err
    assert done.out == ""


@pytest.mark.parametrize(
    "line",
    [
        "get ticks.nobody",
        "latest ticks.nobody",
        "bars ticks.nobody --every 1m",
        "tail ticks.nobody",
    ],
)
def test_an_unknown_dataset_names_the_next_command(tickmesh: Tickmesh, line: str) -> None:
    done = tickmesh(f"ticks {line}")
    assert done.code == 1
    assert "ticks.nobody" in done.err
    assert "try: tickmesh ticks list" in done.err


def test_sql_over_an_unknown_dataset_names_it(tickmesh: Tickmesh) -> None:
    done = tickmesh("ticks sql 'select * from \"ticks.nobody\"'")
    assert done.code == 1
    assert "there is no dataset of that name" in done.err
    assert "ticks.nobody" in done.err


def test_a_file_is_written_whole_or_not_at_all(
    tickmesh: Tickmesh, dataset: str, tmp_path: Path
) -> None:
    (tmp_path / "rows.parquet").write_bytes(b"what was there before")
    assert tickmesh(f"ticks get {dataset} --column nothing --out rows.parquet").code == 1
    assert (tmp_path / "rows.parquet").read_bytes() == b"what was there before"
    assert tickmesh(f"ticks get {dataset} --out rows.parquet").code == 0
    assert pq.read_table(tmp_path / "rows.parquet").num_rows == ROWS
    assert sorted(path.name for path in tmp_path.glob("*rows*")) == ["rows.parquet"]
