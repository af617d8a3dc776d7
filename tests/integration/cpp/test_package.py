"""The installed C++ package, as projects of other people find it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.gtest_program import BUILDS, CLIENT
from tests.support.mesh import ROOT

pytestmark = pytest.mark.integration

INSTALLED = BUILDS / "install"
CONSUMER = Path(__file__).parent / "consumer"
NOT_FOR_USERS = re.compile(r"^tickmesh::(api|internal)::|\b(grpc|google|absl|nlohmann)(::|_)")


def cmake(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("TICKMESH_")
    }
    return subprocess.run(
        ["cmake", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        timeout=240,
        check=False,
    )


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """The installed prefix, elsewhere than where it was installed."""
    assert INSTALLED.exists(), "the package is not installed: `make test` or `make cpp` installs it"
    return Path(shutil.copytree(INSTALLED, tmp_path / "moved", symlinks=True))


def test_a_project_with_stubs_of_its_own_uses_the_package_from_a_prefix_that_moved(
    moved: Path, tmp_path: Path
) -> None:
    build = tmp_path / "build"
    configured = cmake("-S", CONSUMER, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={moved}")
    assert configured.returncode == 0, configured.stdout
    built = cmake("--build", build)
    assert built.returncode == 0, built.stdout
    done = subprocess.run(
        [build / "consumer"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"],
        "OK",
        'subject: "ticks.trades"',
    ]


def test_another_major_version_of_arrow_is_refused_when_a_project_is_configured(
    moved: Path, tmp_path: Path
) -> None:
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\n"
        "project(other LANGUAGES CXX)\n"
        "add_library(ArrowFlight::arrow_flight_shared SHARED IMPORTED)\n"
        "set(Arrow_VERSION 7.0.0)\n"
        "find_package(tickmesh CONFIG REQUIRED)\n",
        encoding="utf-8",
    )
    refused = cmake("-S", tmp_path, "-B", tmp_path / "build", f"-DCMAKE_PREFIX_PATH={moved}")
    assert refused.returncode != 0
    assert "this project has Arrow 7.0.0" in " ".join(refused.stdout.split())


def test_the_library_offers_no_name_of_the_libraries_behind_it() -> None:
    library = INSTALLED / "lib" / "libtickmesh_client.so"
    listed = subprocess.run(
        ["nm", "--dynamic", "--defined-only", "--demangle", library],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    offered = [line.split(" ", 2)[2] for line in listed.stdout.splitlines()]
    assert any(name.startswith("tickmesh::") for name in offered)
    assert [name for name in offered if NOT_FOR_USERS.search(name)] == []


def test_public_headers_name_no_library_but_arrow() -> None:
    headers = sorted((CLIENT / "include").rglob("*.h"))
    named = {
        (header.name, name)
        for header in headers
        for name in re.findall(r'#include [<"]([^">]+)[">]', header.read_text(encoding="utf-8"))
    }
    foreign = [
        (header, name)
        for header, name in sorted(named)
        if "/" in name and not name.startswith(("tickmesh/", "arrow/"))
    ]
    assert foreign == []
    assert [(header, name) for header, name in sorted(named) if "arrow/flight" in name] == []
