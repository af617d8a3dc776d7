"""`tickmesh clean`, `job` and `quarantine`. JSON is API: every key is named."""

from __future__ import annotations

import io
import json
import os
import pty
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from tests.integration.command_line.conftest import (
    BAD_PRICES,
    ROWS,
    changed,
    start,
    write_schema,
    write_trades,
)
from tests.support.frozen import freeze
from tickmesh.api.cleaner.v1 import job_pb2
from tickmesh.cleaning import CleanerClient

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.command_line.conftest import Tickmesh
    from tickmesh_serving.mesh import Mesh

pytestmark = pytest.mark.integration

SLOW_ROWS = 600_000

JOB_KEYS = {
    *("job", "state", "message", "reason", "subject", "dataset", "source", "schema_versions"),
    *("principal", "on_behalf_of", "created_at", "ended_at", "records", "rows_in", "stored"),
    *("quarantined", "duplicates", "skipped", "extras", "coercions", "flagged", "repaired"),
    *("balance_holds", "events"),
}


def on_a_terminal(line: str, *, cwd: Path) -> tuple[int, str]:
    """Run a command on a terminal of eighty columns; returns its exit code and all it showed."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "tickmesh", *shlex.split(line)],
        cwd=cwd,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "COLUMNS": "80", "LINES": "24", "TERM": "xterm"},
    )
    os.close(slave)
    shown = io.BytesIO()
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # the terminal's other end is closed: the command has ended
            break
        shown.write(data)
    os.close(master)
    return process.wait(60), shown.getvalue().decode()


@pytest.fixture
def halted_tick_store(mesh: Mesh) -> Iterator[Callable[[], None]]:
    """The tick store stands still until the test lets it go on: jobs stay unfinished meanwhile."""
    pid = mesh.pid("tickstore")
    assert pid is not None
    freeze(pid)
    yield lambda: os.kill(pid, signal.SIGCONT)
    os.kill(pid, signal.SIGCONT)


def test_bad_rows_are_a_finding_and_the_next_command_shows_them(
    tickmesh: Tickmesh, subject: str, trades: Path
) -> None:
    done = tickmesh(f"clean {trades.name} --subject {subject}")
    assert done.code == 3
    assert "100 rows in = 97 stored + 3 quarantined + 0 duplicates" in done.out
    assert "sending it" in done.err
    command = done.out.splitlines()[-1].removeprefix("next: tickmesh ")
    described = tickmesh(command)
    assert "3 rows quarantined" in described.out
    assert "EXCLUSIVE_MINIMUM" in described.out


def test_a_file_below_the_roots_is_not_sent(tickmesh: Tickmesh, subject: str, mesh: Mesh) -> None:
    file = write_trades(mesh.home / "sources" / "near.csv", rows=ROWS)
    done = tickmesh(f"clean {file} --subject {subject} --output json")
    assert done.code == 0
    assert "sending" not in done.err
    *moments, job = done.json_lines
    assert set(job) == JOB_KEYS
    assert (job["state"], job["rows_in"], job["balance_holds"]) == ("succeeded", ROWS, True)
    assert set(moments[-1]) == {
        *JOB_KEYS,
        *("bytes_read", "bytes_total", "rows_per_second", "schema_version"),
        *("schema_change_delay_ms", "registry_away_since"),
    }


def test_a_source_spec_maps_the_columns(
    tickmesh: Tickmesh, subject: str, trades: Path, tmp_path: Path
) -> None:
    lines = [f'{name} = {{ from = "{name}" }}' for name in ("ts", "symbol", "size")]
    spec = '[[records]]\nname = "trade"\n[records.fields]\n' + "\n".join(lines)
    (tmp_path / "spec.toml").write_text(f'format = "csv"\n{spec}\nprice = {{ constant = "7.5" }}\n')
    done = tickmesh(f"clean {trades.name} --subject {subject} --source spec.toml")
    assert done.code == 0
    assert f"{ROWS} stored" in done.out


def test_a_directory_below_the_roots_is_one_job_and_tells_of_its_files(
    tickmesh: Tickmesh, subject: str, mesh: Mesh
) -> None:
    directory = mesh.home / "sources" / "days"
    directory.mkdir()
    for day, bad in enumerate((0, 2)):
        write_trades(directory / f"day{day}.csv", rows=ROWS + day, bad=bad)
    for source in (str(directory), f"'{directory}/*.csv'"):
        done = tickmesh(f"clean {source} --subject {subject}")
        assert f"{2 * ROWS + 1} rows in" in done.out
        assert "FILE_STARTED: days/day0.csv" in done.err
        assert "FILE_ENDED: days/day1.csv: 101 rows in" in done.err
        assert "sending" not in done.err
    job = tickmesh(f"job list --subject {subject} --output json").json[0]["job"]
    events = tickmesh(f"job get {job} --output json").json["events"]
    assert [event["code"] for event in events] == ["FILE_STARTED", "FILE_ENDED"] * 2
    assert "FILE_ENDED" in tickmesh(f"job get {job}").out


@pytest.mark.parametrize(
    "source",
    ["days", "'days/*.csv'", "days/day0.csv days/day1.csv"],
    ids=["directory", "pattern", "files"],
)
def test_files_elsewhere_are_sent_one_by_one(
    tickmesh: Tickmesh, subject: str, tmp_path: Path, source: str
) -> None:
    (tmp_path / "days").mkdir()
    for day, bad in enumerate((1, 0)):
        write_trades(tmp_path / "days" / f"day{day}.csv", rows=ROWS + day, bad=bad)
    done = tickmesh(f"clean {source} --subject {subject}")
    assert done.code == 3
    assert done.err.count("sending it") == 2
    assert f"{ROWS} rows in" in done.out
    assert f"{ROWS + 1} rows in" in done.out
    assert len(tickmesh(f"job list --subject {subject} --output json").json) == 2


def test_what_is_not_there_is_wrong_usage(tickmesh: Tickmesh, subject: str) -> None:
    for source in ("none.csv", "'none*.csv'", "a.csv b.csv --follow"):
        assert tickmesh(f"clean {source} --subject {subject}").code == 2


def test_a_file_is_followed_until_the_job_is_cancelled(
    tickmesh: Tickmesh, subject: str, mesh: Mesh
) -> None:
    file = mesh.home / "sources" / "live.csv"
    line = f"clean {file} --follow --subject {subject} --detach --output json"
    job = tickmesh(line).json["job"]
    write_trades(file, rows=ROWS, bad=BAD_PRICES)
    with CleanerClient() as cleaner:
        for moment in cleaner.watch_job(job, progress_seconds=0.1):
            if moment.job.balance.rows_in == ROWS:
                break
    assert tickmesh(f"job cancel {job}").code == 0
    ended = tickmesh(f"job watch {job}")
    assert "100 rows in = 97 stored + 3 quarantined" in ended.out


def test_a_file_elsewhere_cannot_be_followed(
    tickmesh: Tickmesh, subject: str, trades: Path
) -> None:
    done = tickmesh(f"clean {trades.name} --follow --subject {subject}")
    assert done.code == 1
    assert "source roots" in done.err


def test_cleaning_twice_stores_nothing_twice(
    tickmesh: Tickmesh, subject: str, trades: Path
) -> None:
    assert tickmesh(f"clean {trades.name} --subject {subject}").code == 3
    again = tickmesh(f"clean {trades.name} --subject {subject}")
    assert "0 stored + 0 quarantined + 100 duplicates" in again.out
    assert "--again" in again.out
    on_purpose = tickmesh(f"clean {trades.name} --subject {subject} --again")
    assert "97 stored" in on_purpose.out


def test_an_unknown_subject_says_how_to_make_it_known(tickmesh: Tickmesh, trades: Path) -> None:
    done = tickmesh(f"clean {trades.name} --subject no.such")
    assert done.code == 1
    assert "tickmesh schema infer" in done.err


def test_a_job_is_listed_got_and_balanced(tickmesh: Tickmesh, subject: str, trades: Path) -> None:
    tickmesh(f"clean {trades.name} --subject {subject}")
    (job,) = tickmesh(f"job list --subject {subject} --output json").json
    assert set(job) == JOB_KEYS
    assert tickmesh(f"job get {job['job']} --output json").json == job
    balance = tickmesh(f"job balance {job['job']}")
    assert (balance.code, balance.out.startswith("the balance holds")) == (0, True)
    audited = tickmesh(f"job balance {job['job']} --output json").json
    assert audited == {key: job[key] for key in audited if key in job} | {"expired": 0}
    assert tickmesh(f"job watch {job['job']}").code == 3
    assert subject in tickmesh("job list --state succeeded").out
    assert "no such job" in tickmesh(f"job list --subject {subject} --state paused").out
    for verb in ("pause", "resume", "cancel"):
        assert "succeeded" in tickmesh(f"job {verb} {job['job']}").err


def test_a_job_is_paused_resumed_and_cancelled(
    tickmesh: Tickmesh,
    subject: str,
    mesh: Mesh,
    halted_tick_store: Callable[[], None],
) -> None:
    file = write_trades(mesh.home / "sources" / "slow.csv", rows=SLOW_ROWS)
    job = tickmesh(f"clean {file} --subject {subject} --detach --output json").json["job"]
    assert tickmesh(f"job pause {job}").code == 0
    halted_tick_store()
    with CleanerClient() as cleaner:
        for moment in cleaner.watch_job(job, progress_seconds=0.1):
            if moment.job.state == job_pb2.JOB_STATE_PAUSED:
                break
        assert moment.job.state == job_pb2.JOB_STATE_PAUSED
        assert moment.job.balance.rows_in < SLOW_ROWS
    assert tickmesh(f"job get {job} --output json").json["state"] == "paused"
    assert tickmesh(f"job resume {job}").code == 0
    assert tickmesh(f"job watch {job}").code == 0


def test_ctrl_c_detaches_and_the_job_goes_on(
    tickmesh: Tickmesh,
    subject: str,
    mesh: Mesh,
    halted_tick_store: Callable[[], None],
    tmp_path: Path,
) -> None:
    file = write_trades(mesh.home / "sources" / "long.csv", rows=ROWS)
    with start(f"clean {file} --subject {subject}", cwd=tmp_path) as process:
        assert process.stderr is not None
        while "0 stored" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    halted_tick_store()
    command = err.splitlines()[-1].partition("next: tickmesh ")[2]
    assert command.startswith("job watch")
    assert tickmesh(command).code == 0


def test_progress_is_a_bar_on_a_terminal(subject: str, trades: Path, tmp_path: Path) -> None:
    code, shown = on_a_terminal(f"clean {trades.name} --subject {subject}", cwd=tmp_path)
    assert code == 3
    assert "[################]  100%  100 rows, 3 quarantined" in shown
    drawn = shown.replace("\x1b[?25l", "").replace("\x1b[?25h", "").replace("\r", "\n")
    bars = [line for line in drawn.split("\n") if "%" in line]
    assert bars
    assert max(map(len, bars)) <= 80


def test_rows_are_listed_described_and_replayed(
    tickmesh: Tickmesh, subject: str, trades: Path, tmp_path: Path
) -> None:
    tickmesh(f"clean {trades.name} --subject {subject}")
    rows = tickmesh(f"quarantine list --subject {subject} --output json").json
    assert len(rows) == BAD_PRICES
    assert set(rows[0]) == {
        *("row", "job", "subject", "source", "offset", "line", "raw", "document", "reasons"),
        *("messages", "schema_version", "first_seen_at", "state", "discard"),
    }
    assert (rows[0]["line"], rows[0]["reasons"]) == (2, ["EXCLUSIVE_MINIMUM /price"])
    first = tickmesh(f"quarantine list --subject {subject} --limit 2").out
    assert "the first 2 rows; more with --limit" in first
    described = tickmesh(f"quarantine describe --subject {subject} --output json").json
    assert described["rows"] == BAD_PRICES
    assert set(described["reasons"][0]) == {"code", "field", "rows", "example"}

    stay = tickmesh(f"quarantine replay --subject {subject}")
    assert stay.code == 3
    assert f"next: tickmesh quarantine describe --subject {subject}" in stay.out
    write_schema(tmp_path / "v2.json", changed(type="number"))
    tickmesh(f"schema register {subject} v2.json")
    released = tickmesh(f"quarantine replay --subject {subject}")
    assert released.code == 0
    assert "3 rows in = 3 stored" in released.out
    assert "nothing is quarantined" in tickmesh(f"quarantine list --subject {subject}").out
    assert "nothing is quarantined" in tickmesh(f"quarantine describe --subject {subject}").out
    assert len(
        tickmesh(f"quarantine list --subject {subject} --state released --output json").json
    ) == len(rows)
    assert tickmesh(f"quarantine replay --subject {subject}").code == 1


def test_rows_are_exported_with_all_their_columns(
    tickmesh: Tickmesh, subject: str, trades: Path, tmp_path: Path
) -> None:
    tickmesh(f"clean {trades.name} --subject {subject}")
    done = tickmesh(f"quarantine export rows.jsonl --subject {subject}")
    assert (done.code, done.out) == (0, "wrote 3 rows to rows.jsonl\n")
    lines = (tmp_path / "rows.jsonl").read_text().splitlines()
    first = json.loads(lines[0])
    assert first["document"]["price"] <= 0
    assert first["raw"] in trades.read_text()
    assert [reason["code"] for reason in first["reasons"]] == ["EXCLUSIVE_MINIMUM"]

    facts = tickmesh(f"quarantine export rows.parquet --subject {subject} --output json").json
    table = pq.read_table(tmp_path / "rows.parquet")
    assert facts == {"rows": table.num_rows, "file": "rows.parquet"}
    assert set(first) == set(table.column_names)
    assert tickmesh(f"quarantine export rows.xml --subject {subject}").code == 2
    assert {path.name for path in tmp_path.glob(".*.unfinished")} == set()


def test_rows_are_given_up_for_the_record(tickmesh: Tickmesh, subject: str, trades: Path) -> None:
    tickmesh(f"clean {trades.name} --subject {subject}")
    rows = tickmesh(f"quarantine list --subject {subject} --output json").json
    chosen = rows[0]["row"]
    done = tickmesh(f"quarantine discard --row {chosen} --comment 'a test print'")
    assert (done.code, done.out) == (0, "discarded 1 row\n")
    (row,) = tickmesh(f"quarantine list --subject {subject} --state discarded --output json").json
    assert (row["row"], row["discard"]["comment"]) == (chosen, "a test print")
    assert row["discard"]["by"]
    rest = tickmesh(f"quarantine discard --subject {subject} --comment rest --output json")
    assert rest.json == {"rows": BAD_PRICES - 1}
    assert tickmesh("quarantine discard --comment everything").code == 1
    assert tickmesh(f"quarantine replay --subject {subject}").code == 1


def test_a_schema_is_tried_on_the_rows_that_are_there(
    tickmesh: Tickmesh, subject: str, trades: Path, tmp_path: Path
) -> None:
    tickmesh(f"clean {trades.name} --subject {subject}")
    write_schema(tmp_path / "v2.json", changed(type="number"))
    done = tickmesh(f"schema backtest v2.json --subject {subject} --report evidence.json")
    assert done.code == 0
    first = f"would newly reject 0 of {ROWS - BAD_PRICES} stored rows, would release 3 of 3"
    assert first in done.out
    assert "EXCLUSIVE_MINIMUM" in done.out
    assert done.next_command == (f"schema register {subject} v2.json --data-report evidence.json")
    assert tickmesh(done.next_command).code == 0
    write_schema(tmp_path / "v3.json", changed(type="string"))
    refused = tickmesh(f"schema backtest v3.json --subject {subject} --days 30000 --output json")
    assert refused.code == 3
    assert refused.json["newly_rejected"] == refused.json["stored_rows"] == ROWS - BAD_PRICES
    assert {reason["code"] for reason in refused.json["rejected_reasons"]} == {"TYPE"}


def test_documents_are_validated_and_schemas_explained(
    tickmesh: Tickmesh, subject: str, tmp_path: Path
) -> None:
    good = '{"ts": "2026-11-20T14:30:00Z", "symbol": "A", "price": 1, "size": 1}'
    (tmp_path / "rows.jsonl").write_text(f"{good}\n{good.replace('1}', 'NaN}')}\n")
    done = tickmesh(f"schema validate rows.jsonl --subject {subject}")
    assert done.code == 3
    assert done.out.startswith("2 documents, 1 of them no good rows")
    (tmp_path / "rows.jsonl").write_text(f"{good}\n" * 1_500)
    facts = tickmesh(f"schema validate rows.jsonl --subject {subject} --output json")
    assert facts.code == 0
    assert facts.json[-1] == {"document": 1_500, "valid": True, "reasons": [], "messages": []}

    (tmp_path / "rows.jsonl").write_text(f"{good}\n")
    explained = tickmesh(f"schema explain {subject} --sample rows.jsonl")
    assert "measured on 65,536 rows" in explained.out
    plan = tickmesh(f"schema explain {subject} --output json").json
    assert {"exclusiveMinimum", "type"} <= {line["keyword"] for line in plan}
    assert tickmesh("schema explain").code == 2
