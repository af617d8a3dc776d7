"""What goes wrong is said in a line that helps, and in the exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.command_line.conftest import Tickmesh

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("schema get no.such", "tickmesh schema list"),
        ("ticks get no.such", "tickmesh ticks list"),
        ("ticks stats no.such", "tickmesh ticks list"),
        ("job get no.such", "tickmesh job list"),
        ("quarantine replay --subject no.such", "tickmesh quarantine describe"),
    ],
)
def test_what_is_not_there_names_the_command_that_lists(
    tickmesh: Tickmesh, line: str, hint: str
) -> None:
    done = tickmesh(line)
    assert (done.code, done.out) == (1, "")
    assert f"try: {hint}" in done.err


def test_an_error_is_json_where_json_was_asked_for(tickmesh: Tickmesh) -> None:
    done = tickmesh("schema get no.such --output json")
    error = json.loads(done.err)["error"]
    assert set(error) == {
        *("message", "code", "reason", "metadata", "violations", "request_id"),
        "next_command",
    }
    assert (error["code"], error["reason"]) == ("NOT_FOUND", "SUBJECT_NOT_FOUND")


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("schema list", ["REGISTRY"]),
        ("job list", ["CLEANER"]),
        ("ticks list", ["TICKSTORE"]),
        ("ticks get some.dataset", ["TICKSTORE_FLIGHT"]),
    ],
)
def test_a_service_that_is_away_is_exit_code_69(
    tickmesh: Tickmesh,
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    settings: list[str],
) -> None:
    for setting in settings:
        monkeypatch.setenv(f"TICKMESH_CLIENT__{setting}", "127.0.0.1:1")
    done = tickmesh(line)
    assert done.code == 69
    assert "no answer from 127.0.0.1:1: Connection refused" in done.err
    assert "try: tickmesh up" in done.err


def test_a_wrong_setting_is_exit_code_78(
    tickmesh: Tickmesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKMESH_CLIENT__REGISTRI", "127.0.0.1:1")
    done = tickmesh("schema list")
    assert done.code == 78
    assert "did you mean registry?" in done.err


@pytest.mark.parametrize("line", ["nothing", "clean", "schema get", "job list --state odd"])
def test_wrong_usage_is_exit_code_2(tickmesh: Tickmesh, line: str) -> None:
    done = tickmesh(line)
    assert done.code == 2
    assert "--help" in done.err
