"""The newcomer's first command: it ends well, and its account is read back, not counted."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

# As on a machine that installed the server extra and nothing else: no pandas behind pyarrow's back.
_WITHOUT_PANDAS = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"pandas", "polars"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
from tickmesh._cli import main
main(sys.argv[1:])
"""


def test_the_demo_tells_its_story_and_its_balance_holds(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT_PANDAS, "demo", "--rows", "120000", "--data", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    *story, last = done.stdout.splitlines()
    account = json.loads(last)
    assert list(account) == [
        "demo",
        "rows_in",
        "stored",
        "quarantined",
        "duplicates",
        "schema_change_ms",
    ]
    assert account["demo"] == "ok"
    assert account["rows_in"] == 120_000
    assert account["rows_in"] == account["stored"] + account["quarantined"] + account["duplicates"]
    assert account["duplicates"] == 0
    assert account["quarantined"] > 0
    text = "\n".join(story)
    assert "(compatible_change)" in text
    assert "refused: the schema breaks" in text
    assert "witness at /properties/size/minimum" in text
    assert "(breaking_change)" in text
    assert "released and stored" in text
    answers = [
        line for line in story if line.startswith(("  bars ", "  as-of ", "  where ", "  SQL "))
    ]
    assert len(answers) == 4
    assert "minutes of AAPL" in answers[0]
