"""`tickmesh clean`, `job` and `quarantine`. JSON is API: every key is named."""

from __future__ import annotations

import io
import os
import pty
import shlex
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.integration.command_line.conftest import (
    BAD_PRICES,
    ROWS,
    changed,
    start,
    write_schema,
    write_trades,
)
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
    "balance_holds",
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
    os.kill(pid, signal.SIGSTOP)
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
    assert audited == {key: job[key] for key in audited}
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
        *("messages", "schema_version", "first_seen_at", "state"),
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
