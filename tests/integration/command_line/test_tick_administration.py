"""`tickmesh ticks dataset|snapshot|flush|compact`. JSON is API: every key is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.command_line.conftest import ROWS, write_trades

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.command_line.conftest import Tickmesh

pytestmark = pytest.mark.integration

TIERS = {f"{tier}_{what}" for tier in ("log", "recent", "settled") for what in ("rows", "bytes")}
DATASET_KEYS = TIERS | {
    *("dataset", "rows", "bytes", "revision", "schema_versions", "created", "first", "last"),
    *("naive_time_zone", "keep", "keep_bytes", "max_bytes", "max_put_streams"),
    *("retained_from_revision", "failure"),
}


@pytest.fixture
def dataset(tickmesh: Tickmesh, subject: str, tmp_path: Path) -> str:
    write_trades(tmp_path / "good.csv", rows=ROWS)
    assert tickmesh(f"ticks put good.csv --subject {subject}").code == 0
    return subject


def test_settings_are_given_shown_changed_and_taken_away(tickmesh: Tickmesh, subject: str) -> None:
    made = tickmesh(
        f"ticks dataset create {subject} --naive-time-zone UTC --keep 36h --max-put-streams 3 "
        "--output json"
    ).json
    assert set(made) == DATASET_KEYS
    assert (made["naive_time_zone"], made["keep"], made["max_put_streams"]) == ("UTC", "36h", 3)
    assert tickmesh(f"ticks dataset show {subject} --output json").json == made
    changed = tickmesh(f"ticks dataset update {subject} --keep-bytes 1000 --output json").json
    assert (changed["keep"], changed["keep_bytes"]) == (None, 1000)
    assert changed["max_put_streams"] == 3
    bare = tickmesh(
        f"ticks dataset update {subject} --keep-everything --no-limits --refuse-naive --output json"
    ).json
    assert {bare[key] for key in ("naive_time_zone", "keep_bytes", "max_put_streams")} == {None}
    both = tickmesh(f"ticks dataset update {subject} --keep-everything --keep 1d")
    assert both.code == 2
    nothing = tickmesh(f"ticks dataset update {subject}")
    assert nothing.code == 1
    assert "give at least one of" in nothing.err


def test_a_snapshot_keeps_its_dataset_and_is_read_by_name(tickmesh: Tickmesh, dataset: str) -> None:
    name = f"end-of-day-{dataset}"
    made = tickmesh(f"ticks snapshot create {name} --dataset {dataset} --output json").json
    assert set(made) == {"snapshot", "created", "revisions"}
    listed = tickmesh(f"ticks snapshot list --dataset {dataset} --output json").json
    assert listed == [made]
    tickmesh(f"ticks put good.csv --subject {dataset}")
    rows = tickmesh(f"ticks get {dataset} --snapshot {name} --output json")
    assert len(rows.json_lines) == ROWS
    again = tickmesh(f"ticks snapshot create {name}")
    assert (again.code, "exists already" in again.err) == (1, True)
    held = tickmesh(f"ticks dataset delete {dataset} --yes")
    assert (held.code, name in held.err) == (1, True)
    gone = tickmesh(f"ticks snapshot delete {name} --output json").json
    assert gone == {"deleted": name}
    assert "no snapshots; make one" in tickmesh(f"ticks snapshot list --dataset {dataset}").out
    deleted = tickmesh(f"ticks dataset delete {dataset} --yes --output json").json
    assert deleted == {"dataset": dataset, "rows_deleted": 2 * ROWS}
    assert tickmesh(f"ticks dataset show {dataset}").code == 1


def test_deleting_asks_first(tickmesh: Tickmesh, dataset: str) -> None:
    refused = tickmesh(f"ticks dataset delete {dataset}")
    assert refused.code != 0
    assert f"{ROWS} rows?" in refused.err
    assert tickmesh(f"ticks dataset show {dataset} --output json").json["rows"] == ROWS


def test_rows_move_from_the_log_to_segments_and_settle(tickmesh: Tickmesh, dataset: str) -> None:
    flushed = tickmesh(f"ticks flush {dataset} --output json").json
    assert set(flushed) == {"dataset", "rows"} | TIERS
    assert (flushed["rows"], flushed["log_rows"]) == (ROWS, 0)
    compacted = tickmesh(f"ticks compact {dataset} --timeout 60 --output json").json
    assert (compacted["settled_rows"], compacted["recent_rows"]) == (ROWS, 0)
