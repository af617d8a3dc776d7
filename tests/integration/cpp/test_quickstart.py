"""What the C++ pages show is what happens: their commands are run, their snippets compiled."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.gtest_program import BUILDS, CLIENT
from tests.support.mesh import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.integration

_CONSOLE = re.compile(r"## Quickstart\n.*?```console\n(.*?)```", re.DOTALL)
_SNIPPET = re.compile(r"```cpp\n(.*?)```", re.DOTALL)
_OUTPUT = [
    r"ticks\.trades version 1:",
    r"stored 2 rows, dataset revision \d+",
    r"refused: [A-Z_]+: .*price.*",
    r"AAPL has 1 rows",
    r"tail: 2 rows up to a position",
]


@pytest.fixture
def clean_build_directory() -> Iterator[None]:
    """The quickstart builds where its commands say: in the repository, below an ignored folder."""
    directory = ROOT / "build" / "quickstart"
    subprocess.run(["rm", "-rf", directory], check=True)
    yield
    subprocess.run(["rm", "-rf", directory], check=True)


@pytest.mark.usefixtures("clean_build_directory")
def test_the_quickstart_copied_word_for_word_works(
    servers: Mapping[str, str], tmp_path: Path
) -> None:
    found = _CONSOLE.search((CLIENT / "README.md").read_text(encoding="utf-8"))
    assert found, "clients/cpp/README.md has no console block under Quickstart"
    commands = [line.removeprefix("$ ") for line in found[1].splitlines()]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
        cwd=ROOT,
        env=os.environ
        | {
            "TICKMESH_HOME": str(tmp_path),  # no settings of whoever runs the tests
            "TICKMESH_CLIENT__REGISTRY": servers["TICKMESH_TEST_REGISTRY"],
            "TICKMESH_CLIENT__TICKSTORE": servers["TICKMESH_TEST_TICKSTORE"],
            "TICKMESH_CLIENT__TICKSTORE_FLIGHT": servers["TICKMESH_TEST_TICKSTORE_FLIGHT"],
        },
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search("\n(.*\n)*".join(_OUTPUT), done.stdout), done.stdout


def test_the_snippets_of_the_page_compile_against_the_installed_headers(tmp_path: Path) -> None:
    snippets = _SNIPPET.findall((ROOT / "docs" / "cpp-client.md").read_text(encoding="utf-8"))
    assert len(snippets) > 4
    source = '#include "arrow/api.h"\n#include "tickmesh/api.h"\n' + "".join(
        f"arrow::Status Snippet{number}() {{\n{snippet}\nreturn arrow::Status::OK();\n}}\n"
        for number, snippet in enumerate(snippets)
    )
    (tmp_path / "snippets.cc").write_text(source, encoding="utf-8")
    (tmp_path / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\n"
        "project(snippets LANGUAGES CXX)\n"
        "find_package(tickmesh CONFIG REQUIRED)\n"
        "add_library(snippets OBJECT snippets.cc)\n"
        "target_compile_options(snippets PRIVATE -fsyntax-only)\n"
        "target_link_libraries(snippets PRIVATE tickmesh::client)\n",
        encoding="utf-8",
    )
    build = tmp_path / "build"
    prefix = f"-DCMAKE_PREFIX_PATH={BUILDS / 'install'}"
    for arguments in (["-S", str(tmp_path), "-B", str(build), prefix], ["--build", str(build)]):
        done = subprocess.run(
            ["cmake", *arguments], capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
