"""What no command expected: one line for the user, the trace in a file, exit code 1."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest

from tickmesh import _cli

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return monkeypatch


def fail_with(failing: pytest.MonkeyPatch, error: Exception) -> None:
    def raise_it(**_: object) -> None:
        raise error

    failing.setattr(_cli.root, "main", raise_it)


def test_a_defect_is_one_line_that_asks_for_a_report(
    failing: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(failing, KeyError("rows\nin"))
    assert _cli.run(["job", "list"]) == 1
    said = capsys.readouterr()
    assert not said.out
    (line,) = said.err.splitlines()
    assert line.startswith("error: this is a defect of tickmesh (KeyError: ")
    assert "please report it" in line
    assert "`tickmesh version`" in line
    (trace,) = tmp_path.glob("tickmesh-defect-*.txt")
    assert str(trace) in line
    assert "Traceback" in trace.read_text(encoding="utf-8")


def test_a_defect_is_told_even_where_no_file_can_be_written(
    failing: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failing.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    fail_with(failing, ValueError("odd"))
    assert _cli.run(["job", "list"]) == 1
    assert capsys.readouterr().err == (
        "error: this is a defect of tickmesh (ValueError: odd); "
        "please report it with the output of `tickmesh version`\n"
    )


def test_a_file_that_may_not_be_written_is_no_defect(
    failing: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(failing, PermissionError(13, "Permission denied", "ticks.parquet"))
    assert _cli.run(["ticks", "get", "any"]) == 1
    assert capsys.readouterr().err == "error: ticks.parquet: Permission denied\n"
    assert not list(tmp_path.iterdir())
