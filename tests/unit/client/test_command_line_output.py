"""What commands print: aligned, short tables; whole, stable JSON."""

from __future__ import annotations

import json
import re

import click
import pyarrow as pa
import pytest

from tickmesh._cli.instant import instant_of
from tickmesh._cli.job_output import exit_code, follow_progress, print_outcome
from tickmesh._cli.output import (
    Moment,
    Output,
    command_line,
    counted,
    instant,
    print_facts,
    print_rows,
)
from tickmesh._cli.reports import type_name
from tickmesh._cli.row_output import print_table
from tickmesh.api.cleaner.v1 import job_pb2

NOON = 1_795_867_200_000_000_000  # 2026-11-28T12:00:00Z


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def job(state: str, **counts: int) -> job_pb2.Job:
    balance = job_pb2.Balance(holds=True)
    for name, count in counts.items():
        setattr(balance, name, count)
    return job_pb2.Job(
        id="0f1e",
        state=job_pb2.JobState.Value(f"JOB_STATE_{state}"),
        subject="ticks.trades",
        dataset="ticks.trades",
        source_name="trades.csv",
        schema_versions=[3],
        balance=balance,
    )


class TestTables:
    def test_counts_stand_to_the_right_and_text_to_the_left(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [{"name": "a", "rows": 1234567}, {"name": "longer", "rows": 7}]
        print_rows(rows, columns=["name", "rows"], output=Output.TABLE)
        assert lines(capsys) == [
            "NAME         ROWS",
            "a       1,234,567",
            "longer          7",
        ]

    def test_what_is_missing_or_empty_is_a_dash_and_what_is_long_is_cut(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [{"a": None, "b": "", "c": "x" * 100}]
        print_rows(rows, columns=["a", "b", "c"], output=Output.TABLE)
        assert lines(capsys)[1] == f"-  -  {'x' * 59}…"

    def test_json_holds_everything_whole(self, capsys: pytest.CaptureFixture[str]) -> None:
        rows = [{"a": "x" * 100, "not shown": [1], "at": instant(NOON + 1)}]
        print_rows(rows, columns=["a"], output=Output.JSON)
        (line,) = lines(capsys)
        assert json.loads(line) == [
            {"a": "x" * 100, "not shown": [1], "at": "2026-11-28T12:00:00.000000001Z"}
        ]

    def test_no_rows_say_what_to_do_and_are_an_empty_array(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for output in Output:
            print_rows([], columns=["a"], output=output, empty="none yet; next: tickmesh up")
        assert sorted(lines(capsys)) == ["[]", "none yet; next: tickmesh up"]

    def test_instants_are_short_in_columns_and_exact_alone(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        facts = {"at": instant(NOON + 120), "never": instant(None)}
        print_rows([facts], columns=["at"], output=Output.TABLE)
        print_facts(facts, output=Output.TABLE)
        assert lines(capsys) == [
            "AT",
            "2026-11-28T12:00:00Z",
            "at  2026-11-28T12:00:00.00000012Z",
        ]

    def test_facts_without_a_value_take_no_room(self, capsys: pytest.CaptureFixture[str]) -> None:
        facts = {"a_very_long_name": None, "rows": 1000, "holds": True, "labels": {"a": "b"}}
        print_facts(facts, output=Output.TABLE)
        assert lines(capsys) == ["rows    1,000", "holds   yes", "labels  a=b"]

    def test_the_last_column_ends_where_the_terminal_does(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "40")
        rows = [{"row": "1" * 10, "raw": "x" * 50}]
        print_rows(rows, columns=["row", "raw"], output=Output.TABLE)
        assert lines(capsys)[1] == f"1111111111  {'x' * 27}…"


class TestWords:
    def test_one_is_singular(self) -> None:
        found = [counted(number, "row") for number in (0, 1, 1234)]
        assert found == ["0 rows", "1 row", "1,234 rows"]

    def test_a_command_can_be_copied(self) -> None:
        assert command_line("clean", "my file.csv") == "tickmesh clean 'my file.csv'"

    def test_a_moment_before_1970_is_one(self) -> None:
        assert str(Moment(-1)) == "1969-12-31T23:59:59.999999999Z"

    def test_a_dictionary_is_named_by_its_values(self) -> None:
        kind = pa.list_(pa.dictionary(pa.int32(), pa.utf8()))
        assert type_name(kind) == "list<item: dictionary(string)>"

    @pytest.mark.parametrize(
        ("text", "tz", "said"),
        [
            ("2026-11-20T09:30", None, "--tz"),
            ("yesterday", None, "is no time"),
            ("2026-11-20T09:30", "Mars/Base", "is no time zone"),
        ],
    )
    def test_an_instant_that_is_none_says_what_was_expected(
        self, text: str, tz: str | None, said: str
    ) -> None:

        with pytest.raises(click.BadParameter, match=said) as caught:
            instant_of(text, tz=tz, option="--start")
        wrong = caught.value
        assert wrong.param_hint == "--start"

    def test_an_instant_keeps_its_nanoseconds(self) -> None:
        assert instant_of("2026-11-28T12:00:00.000000001Z", tz=None, option="--start") == NOON + 1


class TestRows:
    def test_instants_show_as_many_decimals_as_one_of_them_needs(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for offsets in ([0, 0], [0, 5_000_000], [0, 1]):
            values = pa.array([NOON + offset for offset in offsets], pa.timestamp("ns", "UTC"))
            print_table(pa.table({"ts": values}))
        shown = [line for line in lines(capsys) if line != "ts"]
        assert shown == [
            "2026-11-28 12:00:00Z",
            "2026-11-28 12:00:00Z",
            "2026-11-28 12:00:00.000Z",
            "2026-11-28 12:00:00.005Z",
            "2026-11-28 12:00:00.000000000Z",
            "2026-11-28 12:00:00.000000001Z",
        ]

    def test_nulls_lists_and_dictionaries_are_readable(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        table = pa.table(
            {
                "venue": pa.array(["XNYS", None]).dictionary_encode(),
                "size": [1, 200],
                "codes": [["F", "I"], None],
            }
        )
        print_table(table)
        assert lines(capsys) == [
            "venue  size  codes",
            "XNYS      1  ['F', 'I']",
            "-       200  -",
        ]


class TestJobs:
    def test_the_outcome_is_the_account_and_what_to_do_next(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ended = job("SUCCEEDED", rows_in=10, stored=8, quarantined=1, duplicates=1)
        print_outcome(ended, output=Output.TABLE)
        assert lines(capsys) == [
            "succeeded: 10 rows in = 8 stored + 1 quarantined + 1 duplicate",
            "  trades.csv, under version 3 of ticks.trades, job 0f1e",
            "next: tickmesh quarantine describe --job 0f1e",
        ]

    def test_rows_a_replay_left_are_looked_for_under_their_subject(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """They stay with the job that held them back, not with the replay."""
        replay = job("SUCCEEDED", rows_in=1, quarantined=1)
        replay.source.quarantine.SetInParent()
        print_outcome(replay, output=Output.TABLE)
        assert lines(capsys)[-1] == "next: tickmesh quarantine describe --subject ticks.trades"

    def test_what_was_skipped_not_stored_or_changed_is_named(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ended = job("SUCCEEDED", rows_in=1, stored=1)
        ended.balance.skipped["ping"] = 2
        ended.balance.extras["note"] = 1234
        ended.balance.coercions["CAST"] = 1
        print_outcome(ended, output=Output.TABLE)
        assert lines(capsys)[2:] == [
            "  records skipped as the source spec says: ping (2)",
            "  fields that the schema does not declare, not stored: note (1,234)",
            "  values changed as the source spec says: CAST (1)",
            "next: tickmesh ticks get ticks.trades",
        ]

    @pytest.mark.parametrize(
        ("state", "following"),
        [
            ("PENDING", ["next: tickmesh job watch 0f1e"]),
            ("WAITING", ["next: tickmesh job watch 0f1e"]),
            ("PAUSED", ["next: tickmesh job resume 0f1e"]),
            ("FAILED", []),
        ],
    )
    def test_each_state_names_what_can_be_done(
        self, state: str, following: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        print_outcome(job(state), output=Output.TABLE)
        assert [line for line in lines(capsys) if line.startswith("next")] == following

    @pytest.mark.parametrize(
        ("ended", "code"),
        [
            (job("SUCCEEDED", rows_in=1, stored=1), 0),
            (job("SUCCEEDED", rows_in=1, quarantined=1), 3),
            (job("FAILED"), 1),
            (job("CANCELLED", rows_in=1, stored=1), 1),
        ],
    )
    def test_the_exit_code_tells_findings_from_failure(self, ended: job_pb2.Job, code: int) -> None:
        assert exit_code(ended) == code

    def test_progress_away_from_a_terminal_is_a_line_a_piece_of_news(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        states = [job("RUNNING", rows_in=1), job("RUNNING", rows_in=1), job("RUNNING", rows_in=2)]
        moments = [job_pb2.JobProgress(job=each) for each in (*states, job("SUCCEEDED"))]
        assert follow_progress(moments, output=Output.TABLE) == moments[-1].job
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.splitlines() == [
            "running: 1 row, 0 stored, 0 quarantined",
            "running: 2 rows, 0 stored, 0 quarantined",
        ]

    def test_the_bar_and_its_text_stay_on_one_line_of_the_terminal(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A line that wraps cannot be drawn over: it would fill the screen."""
        monkeypatch.setattr("sys.stderr.isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", "60")
        waiting = job("WAITING", rows_in=10**12, quarantined=10**12)
        waiting.message = "the tick store does not answer; the job goes on by itself when it does"
        moments = [
            job_pb2.JobProgress(job=each, bytes_read=read, bytes_total=100)
            for each, read in ((job("PENDING"), 0), (waiting, 10), (job("SUCCEEDED"), 100))
        ]
        follow_progress(moments, output=Output.TABLE)
        shown = re.sub(r"\x1b\[\?25[lh]", "", capsys.readouterr().err)
        bars = [line for line in re.split(r"[\r\n]", shown) if "%" in line]
        assert any("waiting: the tick" in bar for bar in bars)
        assert max(map(len, bars)) <= 60
