"""`tickmesh.testing`: a mesh for users' tests, gone when the block ends."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import grpc
import pytest

from tests.integration.serving.conftest import ROOT, child_environment
from tickmesh import testing
from tickmesh._wire.credentials import open_channel
from tickmesh.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
def _supervise_sample_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """The chassis alone is tested here: sample services stand where the rooms' would."""
    original = testing._command

    def command(home: Path, ready_file: Path, settings: Mapping[str, str]) -> Sequence[str]:
        real = original(home, ready_file, settings)
        assert list(real[:4]) == [sys.executable, "-m", "tickmesh", "up"]
        return [sys.executable, "-m", "tests.integration.serving.sample_mesh", *real[4:]]

    monkeypatch.setattr(testing, "_command", command)
    monkeypatch.setenv("PYTHONPATH", child_environment()["PYTHONPATH"])
    monkeypatch.chdir(ROOT)


def test_mesh_answers_inside_the_block_and_leaves_nothing_behind() -> None:
    settings = {"cleaner.serving.drain_seconds": "1"}
    with testing.running_mesh(settings=settings, timeout_seconds=200) as mesh:
        assert mesh.config.tickstore_flight == mesh.addresses["tickstore"]["flight"]
        with open_channel(mesh.config.registry, asynchronous=False) as channel:
            grpc.channel_ready_future(channel).result(timeout=120)
    assert not mesh.home.exists()
    assert not os.environ.get("TICKMESH_HOME")


def test_mesh_that_does_not_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(UnavailableError, match=r"did you mean serving\.host\?"),
        testing.running_mesh(
            home=tmp_path, settings={"registry.serving.hots": "x"}, timeout_seconds=200
        ),
    ):
        pytest.fail("it must not start")
