"""A C++ program that holds generated stubs and nothing else of ours."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.governed_ticks import trades_schema
from tests.support.gtest_program import BUILDS
from tickmesh.registry import RegistryClient

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.integration

PROGRAM = BUILDS / "plain_client" / "plain_client"


def test_generated_stubs_alone_get_a_schema_and_watch_its_changes(
    servers: Mapping[str, str],
) -> None:
    assert PROGRAM.exists(), f"{PROGRAM} is not built: `make test` builds it"
    address = servers["TICKMESH_TEST_REGISTRY"]
    subject = "ticks.plain"
    fee = {"type": "number"}
    with RegistryClient(address) as registry:
        registry.register(subject, trades_schema())
        with subprocess.Popen(
            [PROGRAM, address, subject, "2"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as program:
            assert program.stdout is not None
            kind, name, version, text = program.stdout.readline().split(" ", 3)
            assert (kind, name, version) == ("got", subject, "1")
            assert json.loads(text) == json.loads(trades_schema())
            registry.register(subject, trades_schema(fee=fee))
            registry.register("ticks.another", trades_schema())
            registry.register(subject, trades_schema(fee=fee, tax=fee))
            printed, failed = program.communicate(timeout=60)
    assert program.returncode == 0, failed
    assert printed.splitlines() == [
        f"change CHANGE_KIND_VERSION_REGISTERED {subject} 2",
        f"change CHANGE_KIND_VERSION_REGISTERED {subject} 3",
    ]


def test_a_subject_nobody_registered_is_told_to_generated_stubs(servers: Mapping[str, str]) -> None:
    assert PROGRAM.exists(), f"{PROGRAM} is not built: `make test` builds it"
    done = subprocess.run(
        [PROGRAM, servers["TICKMESH_TEST_REGISTRY"], "ticks.nobody", "1"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("code 5: ")
    assert "ticks.nobody" in done.stderr
