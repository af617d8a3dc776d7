"""A client nobody here wrote: grpcurl lists, describes, calls and streams."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.mesh import ROOT, program
from tests.support.transcripts import missing_line, steps
from tickmesh_serving.mesh import Mesh

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration


def test_the_transcript_in_the_docs_is_what_grpcurl_prints(tmp_path: Path) -> None:
    grpcurl = program("grpcurl")
    with Mesh(tmp_path, free_ports=True, services=["registry"]) as mesh:
        address = mesh.addresses["registry"]["grpc"]
        for step in steps(ROOT / "docs" / "grpcurl.md"):
            command = step.command.replace("localhost:7470", address)
            _, *arguments = shlex.split(command)
            done = subprocess.run(
                [grpcurl, *arguments], capture_output=True, text=True, check=False, timeout=30
            )
            printed = done.stdout + done.stderr
            assert missing_line(step.shown, printed) is None, f"{step.command}\n{printed}"


def test_a_line_that_was_not_printed_is_noticed() -> None:
    assert missing_line(("a", "c…"), "a\nb\ncd") is None
    assert missing_line(("c", "a"), "a\nb\nc") == "a"
