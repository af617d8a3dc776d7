"""`tickmesh config show` tells everything but secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from tickmesh._cli.config import config

if TYPE_CHECKING:
    from pathlib import Path


def test_the_token_is_shown_to_be_set_and_not_what_it_is(tmp_path: Path) -> None:
    done = CliRunner().invoke(
        config,
        ["show", "--data", str(tmp_path), "--output", "json"],
        env={"TICKMESH_CLIENT__TOKEN": "hunter2-token"},
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    assert "hunter2" not in done.output
    found = {row["key"]: row for row in json.loads(done.stdout)}
    assert found["client.token"]["value"] == "***"
    assert "environment" in found["client.token"]["source"]
