"""`tickmesh ticks`: put, get, tail, list, stats. JSON is API: every key is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.command_line.conftest import ROWS, write_trades

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.command_line.conftest import Tickmesh

pytestmark = pytest.mark.integration

DATASET_KEYS = {
    *("dataset", "rows", "bytes", "revision", "schema_versions", "first", "last", "failure")
}


@pytest.fixture
def dataset(tickmesh: Tickmesh, subject: str, tmp_path: Path) -> str:
    write_trades(tmp_path / "good.csv", rows=ROWS)
    done = tickmesh(f"ticks put good.csv --subject {subject} --output json")
    assert done.code == 0
    assert set(done.json) == {"dataset", "rows", "batches", "dataset_revision"}
    assert done.json["rows"] == ROWS
    return subject


def test_rows_are_read_by_range_symbol_and_column(tickmesh: Tickmesh, dataset: str) -> None:
    done = tickmesh(
        f"ticks get {dataset} --start 2026-11-20T09:30:07 --end 2026-11-20T14:30:08Z "
        "--tz America/New_York --symbol AAPL --column size --column ts --output json"
    )
    assert done.json_lines == [
        {"size": 8, "ts": "2026-11-20T14:30:07.500000000Z"},
        {"size": 68, "ts": "2026-11-20T14:30:07.500000000Z"},
    ]
    stamped = tickmesh(f"ticks get {dataset} --stamps --limit 1 --output json").json
    assert {"_schema_version", "_ingest_time", "_dataset_revision"} < set(stamped)


def test_a_table_says_when_there_is_more(tickmesh: Tickmesh, dataset: str) -> None:
    lines = tickmesh(f"ticks get {dataset}").out.splitlines()
    assert len(lines) == 1 + 20 + 1
    assert lines[1].startswith("2026-11-20 14:30:00.500Z")
    assert "the first 20 rows" in lines[-1]
    assert len(tickmesh(f"ticks get {dataset} --limit 30").out.splitlines()) == 1 + 30
    assert tickmesh(f"ticks get {dataset} --symbol NONE").out == "no rows\n"


@pytest.mark.parametrize("ending", ["parquet", "csv", "arrow"])
def test_a_file_that_was_written_can_be_put_back(
    tickmesh: Tickmesh, dataset: str, ending: str
) -> None:
    written = tickmesh(f"ticks get {dataset} --out rows.{ending}")
    assert written.out == f"wrote 100 rows to rows.{ending}\n"
    back = tickmesh(f"ticks put rows.{ending} --subject {dataset} --output json")
    assert back.json["rows"] == ROWS


def test_a_time_without_a_zone_says_what_to_add(tickmesh: Tickmesh, dataset: str) -> None:
    done = tickmesh(f"ticks get {dataset} --start 2026-11-20T09:30")
    assert done.code == 2
    assert "--tz" in done.err


def test_a_tail_goes_on_behind_what_it_printed_whole(tickmesh: Tickmesh, dataset: str) -> None:
    whole = tickmesh(f"ticks tail {dataset} --count {ROWS}")
    assert len(whole.json_lines) == ROWS
    tickmesh(f"ticks put good.csv --subject {dataset}")
    following = whole.err.strip().removeprefix("next: tickmesh ")
    part = tickmesh(f"{following} --count 2")
    assert [row["size"] for row in part.json_lines] == [1, 2]
    # The batch was cut: its other rows still have to come.
    assert part.err == whole.err


def test_datasets_are_listed_and_counted(tickmesh: Tickmesh, dataset: str) -> None:
    (row,) = tickmesh(f"ticks list --prefix {dataset} --output json").json
    assert set(row) == DATASET_KEYS
    assert row["rows"] == ROWS
    stats = tickmesh(f"ticks stats {dataset} --output json").json
    assert set(stats) == {
        *("rows_committed", "commit_groups", "duplicate_batches", "refused_batches"),
        *("registry_away_since", "recovery_seconds", "recovery_torn_bytes", "datasets"),
    }
    assert stats["datasets"] == [row]
    assert dataset in tickmesh("ticks list").out
    assert "no dataset begins with" in tickmesh("ticks list --prefix no.such").out


def test_zone_less_times_of_a_csv_file_are_read_in_tz(
    tickmesh: Tickmesh, subject: str, tmp_path: Path
) -> None:
    (tmp_path / "naive.csv").write_text(
        "ts,symbol,price,size\n2026-11-20 09:30:00.5,AAPL,100.25,1\n2026-11-20T09:30:01,AAPL,1,2\n"
    )
    refused = tickmesh(f"ticks put naive.csv --subject {subject}")
    assert refused.code == 1
    assert "--tz" in refused.err
    assert tickmesh(f"ticks put naive.csv --subject {subject} --tz America/New_York").code == 0
    rows = tickmesh(f"ticks get {subject} --output json").json_lines
    assert [row["ts"] for row in rows] == [
        "2026-11-20T14:30:00.500000000Z",
        "2026-11-20T14:30:01.000000000Z",
    ]
