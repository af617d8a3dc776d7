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

    from tests.support.transcripts import Step

pytestmark = pytest.mark.integration


def test_the_transcript_in_the_docs_is_what_grpcurl_prints(tmp_path: Path) -> None:
    grpcurl = program("grpcurl")
    with Mesh(tmp_path, free_ports=True, services=["registry"]) as mesh:
        address = mesh.addresses["registry"]["grpc"]
        for step in steps(ROOT / "docs" / "grpcurl.md"):
            command = step.command.replace("localhost:7470", address)
            _, *arguments = shlex.split(command)
            if "-max-time" in arguments:
                printed = print_until_shown([grpcurl, *arguments], step)
            else:
                done = subprocess.run(
                    [grpcurl, *arguments], capture_output=True, text=True, check=False, timeout=200
                )
                printed = done.stdout + done.stderr
            assert missing_line(step.shown, printed) is None, f"{step.command}\n{printed}"


def print_until_shown(command: list[str], step: Step) -> str:
    """What a call prints that never ends: it is given longer than a reader would wait."""
    place = command.index("-max-time") + 1
    printed = ""
    with subprocess.Popen(
        [*command[:place], "200", *command[place + 1 :]], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            printed += line
            if missing_line(step.shown, printed) is None:
                break
        process.kill()
    return printed


def test_a_line_that_was_not_printed_is_noticed() -> None:
    assert missing_line(("a", "c…"), "a\nb\ncd") is None
    assert missing_line(("c", "a"), "a\nb\nc") == "a"
