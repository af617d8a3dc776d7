"""`tickmesh schema`: infer, register, look up, compare, follow. JSON is API: every key is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.command_line.conftest import (
    ROWS,
    SCHEMA,
    changed,
    write_schema,
    write_trades,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.command_line.conftest import Tickmesh

pytestmark = pytest.mark.integration

VERSION_KEYS = {
    *("subject", "version", "schema_id", "fingerprint", "state", "action", "registered_at"),
    *("effective_from", "revision", "registered_by", "labels", "deprecation_note"),
}


def test_a_file_becomes_a_schema_and_a_source_spec(tickmesh: Tickmesh, tmp_path: Path) -> None:
    write_trades(tmp_path / "quotes.csv", rows=ROWS)
    done = tickmesh("schema infer quotes.csv --subject ticks.guessed --out here")
    assert done.code == 0
    assert "next: tickmesh schema register ticks.guessed here/ticks.guessed.schema.json" in done.out
    schema = json.loads((tmp_path / "here" / "ticks.guessed.schema.json").read_text())
    assert schema["properties"]["ts"]["format"] == "date-time"

    for line in done.out.splitlines():
        kind, _, command = line.partition(": tickmesh ")
        if kind in {"next", "then"}:
            assert tickmesh(command).code == 0, line


def test_inference_does_not_overwrite_what_may_have_been_mended(
    tickmesh: Tickmesh, tmp_path: Path
) -> None:
    write_trades(tmp_path / "quotes.csv", rows=ROWS)
    first = tickmesh("schema infer quotes.csv --output json")
    assert set(first.json) == {"subject", "schema_file", "source_spec_file", "notes"}
    again = tickmesh("schema infer quotes.csv")
    assert again.code == 2
    assert "--replace" in again.err
    assert tickmesh("schema infer quotes.csv --replace").code == 0


def test_inference_tells_of_the_few_values_that_made_a_column_text(
    tickmesh: Tickmesh, tmp_path: Path
) -> None:
    file = write_trades(tmp_path / "quotes.csv", rows=ROWS)
    file.write_text(file.read_text() + "yesterday,AAPL,n/a,5\n")
    notes = "\n".join(tickmesh("schema infer quotes.csv --output json").json["notes"])
    assert "price: text, though all but 1 of 101 values are numbers" in notes
    assert "ts: text, though all but 1 of 101 values are times" in notes


def test_a_version_is_registered_and_read_back(tickmesh: Tickmesh, subject: str) -> None:
    again = tickmesh(f"schema register {subject} v1.json --output json").json
    assert set(again) == {*VERSION_KEYS, "report", "already_registered"}
    assert again["already_registered"]

    found = tickmesh(f"schema get {subject} --output json").json
    assert set(found) == {*VERSION_KEYS, "text", "columns"}
    assert found["columns"][0] == {
        "name": "ts",
        "type": "timestamp[ns, tz=UTC]",
        "nullable": False,
    }
    assert json.loads(tickmesh(f"schema get {subject} --text").out) == SCHEMA
    assert "price   double" in tickmesh(f"schema get {subject}").out


def test_an_instant_that_was_printed_can_be_asked_for(tickmesh: Tickmesh, subject: str) -> None:
    moment = tickmesh(f"schema get {subject} --output json").json["registered_at"]
    at = tickmesh(f"schema get {subject} --at {moment} --known-at {moment} --output json")
    assert at.json["version"] == 1


def test_an_instant_without_a_zone_is_refused(tickmesh: Tickmesh, subject: str) -> None:
    done = tickmesh(f"schema get {subject} --at 2026-11-20T14:30:00")
    assert done.code == 2
    assert "2026-11-20T14:30:00Z" in done.err


def test_subjects_and_versions_are_listed(tickmesh: Tickmesh, subject: str) -> None:
    (row,) = tickmesh(f"schema list --prefix {subject} --output json").json
    assert row["subject"] == subject
    assert set(row) == {"subject", "latest", "versions", "revision"}
    (version,) = tickmesh(f"schema list {subject} --output json").json
    assert set(version) == VERSION_KEYS
    assert subject in tickmesh("schema list").out
    assert "no subject begins with" in tickmesh("schema list --prefix no.such").out


def test_a_change_that_may_not_follow_is_a_finding_with_a_witness(
    tickmesh: Tickmesh, subject: str, tmp_path: Path
) -> None:
    write_schema(tmp_path / "wider.json", changed(type="number"))
    write_schema(tmp_path / "narrower.json", changed(type="number", minimum=5))
    assert tickmesh(f"schema check {subject} wider.json").code == 0
    refused = tickmesh(f"schema check {subject} narrower.json")
    assert refused.code == 3
    assert "witness" in refused.out
    report = tickmesh("schema compare v1.json narrower.json --output json")
    assert (report.code, report.json["verdict"]) == (3, "incompatible")
    assert tickmesh("schema compare v1.json wider.json").code == 0


def test_a_breaking_change_is_refused_and_let_in_on_purpose(
    tickmesh: Tickmesh, subject: str, tmp_path: Path
) -> None:
    write_schema(tmp_path / "v2.json", changed(type="number", minimum=5))
    refused = tickmesh(f"schema register {subject} v2.json")
    assert refused.code == 1
    assert f"try: tickmesh schema check {subject} v2.json" in refused.err
    trial = tickmesh(f"schema register {subject} v2.json --allow-breaking --dry-run")
    assert "would register" in trial.out
    let_in = tickmesh(f"schema register {subject} v2.json --allow-breaking")
    assert (let_in.code, "version 2 (breaking_change)" in let_in.out) == (0, True)


def test_a_difference_says_what_becomes_of_each_column(
    tickmesh: Tickmesh, subject: str, tmp_path: Path
) -> None:
    write_schema(tmp_path / "v2.json", changed(type="integer"))
    shown = tickmesh(f"schema diff {subject}@1 v2.json").out
    assert "price   cast_exact_if  double -> int64" in shown
    found = tickmesh("schema diff v1.json v2.json --output json").json
    assert set(found) == {"changes", "columns"}
    assert set(found["columns"][0]) == {
        *("path", "action", "old_type", "new_type", "note", "names", "default"),
    }
    assert tickmesh(f"schema diff {subject}@9 v2.json").code == 1
    assert tickmesh("schema diff nothing v2.json").code == 2


def test_a_watch_goes_on_where_it_ended(tickmesh: Tickmesh, subject: str, tmp_path: Path) -> None:
    first = tickmesh(f"schema watch {subject} --snapshot --count 1 --output json")
    (event,) = first.json_lines
    assert set(event) == {
        *("revision", "kind", "subject", "version", "action", "changed_at", "principal"),
        "report",
    }
    write_schema(tmp_path / "v2.json", changed(type="number"))
    assert tickmesh(f"schema register {subject} v2.json").code == 0
    following = first.err.strip().removeprefix("next: tickmesh ")
    (event,) = tickmesh(f"{following} --count 1 --output json").json_lines
    assert (event["version"], event["action"]) == (2, "compatible_change")


def test_versions_are_deprecated_deleted_restored_and_removed(
    tickmesh: Tickmesh, tmp_path: Path, subject: str
) -> None:
    write_schema(tmp_path / "v2.json", changed(type="number"))
    assert tickmesh(f"schema register {subject} v2.json --allow-breaking").code == 0
    deprecated = tickmesh(f"schema deprecate {subject} 2 --note 'use 3' --output json")
    assert deprecated.json == {
        "subject": subject,
        "version": 2,
        "state": "deprecated",
        "deprecation_note": "use 3",
    }
    assert tickmesh(f"schema get {subject} --version 2 --output json").json["deprecation_note"]
    assert tickmesh(f"schema delete {subject} 2").out == f"{subject} version 2 is deleted: use 3\n"
    assert tickmesh(f"schema get {subject} --latest --output json").json["version"] == 1
    assert tickmesh(f"schema restore {subject} 2").out == f"{subject} version 2 is active\n"
    early = tickmesh(f"schema remove {subject} 2")
    assert early.code == 1
    assert "delete it softly first" in early.err
    tickmesh(f"schema delete {subject} 2")
    assert tickmesh(f"schema remove {subject} 2 --output json").json["state"] == "removed"
    gone = tickmesh(f"schema get {subject} --version 2")
    assert gone.code == 1
    assert "removed for good" in gone.err


def test_a_change_set_file_is_applied_as_one(
    tickmesh: Tickmesh, tmp_path: Path, subject: str
) -> None:
    write_schema(tmp_path / "v2.json", changed(type="string"))
    (tmp_path / "changes.json").write_text(
        json.dumps(
            {
                "changes": [
                    {"policy": {"subject": subject, "mode": "NONE"}},
                    {"register": {"subject": subject, "file": "v2.json"}},
                    {"register": {"subject": f"{subject}.other", "schema": SCHEMA}},
                ]
            }
        )
    )
    tried = tickmesh("schema apply changes.json --dry-run")
    assert f"would register {subject} version 2 (breaking_change)" in tried.out
    done = tickmesh("schema apply changes.json --output json")
    assert done.code == 0
    assert set(done.json) == {"revision", "results"}
    policy, first, second = done.json["results"]
    assert policy["mode"] == "NONE"
    assert (first["version"], first["action"]) == (2, "breaking_change")
    assert second["version"] == 1
    (tmp_path / "changes.json").write_text('{"changes": [{"policy": {"mod": "NONE"}}]}')
    wrong = tickmesh("schema apply changes.json")
    assert wrong.code == 1
    assert "/changes/0/policy/mod" in wrong.err
