"""Commands run against one mesh; each test has a folder and a subject of its own."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from tickmesh._cli import run

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh_serving.mesh import Mesh

ROWS = 100
BAD_PRICES = 3

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"type": "string"},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "size": {"type": "integer"},
    },
    "required": ["ts", "symbol", "price", "size"],
}


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def next_command(self) -> str:
        """What the last line says to do next, without the program's name."""
        last = (self.out + self.err).splitlines()[-1]
        return last.partition("next: tickmesh ")[2]


class Tickmesh(Protocol):
    """Runs a command line, without the program's name."""

    def __call__(self, line: str) -> Done: ...


@pytest.fixture
def mesh(shared_mesh: Mesh, monkeypatch: pytest.MonkeyPatch) -> Mesh:
    """The mesh that commands find by default."""
    for name, value in shared_mesh.client_environment.items():
        monkeypatch.setenv(name, value)
    return shared_mesh


@pytest.fixture
def tickmesh(
    mesh: Mesh,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Tickmesh:
    assert mesh.failure is None
    monkeypatch.chdir(tmp_path)

    def call(line: str) -> Done:
        capsys.readouterr()
        code = run(shlex.split(line))
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def subject(request: pytest.FixtureRequest, tickmesh: Tickmesh, tmp_path: Path) -> str:
    """A registered subject of the test's own; its schema is v1.json."""
    test = str(request.node.name).removeprefix("test_")
    name = f"ticks.{test.replace('[', '.').removesuffix(']')}"
    write_schema(tmp_path / "v1.json", SCHEMA)
    assert tickmesh(f"schema register {name} v1.json").code == 0
    return name


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    """A hundred trades, three of them with a price below zero; the cleaner cannot read it."""
    return write_trades(tmp_path / "trades.csv", rows=ROWS, bad=BAD_PRICES)


def write_schema(path: Path, schema: dict[str, Any]) -> None:
    path.write_text(json.dumps(schema))


def changed(**price: object) -> dict[str, Any]:
    """The schema with another price."""
    return SCHEMA | {"properties": SCHEMA["properties"] | {"price": price}}


def write_trades(path: Path, *, rows: int, bad: int = 0) -> Path:
    with path.open("w") as file:
        file.write("ts,symbol,price,size\n")
        for row in range(rows):
            price = "-1" if row < bad else f"{100 + row % 7}.25"
            file.write(f"2026-11-20T14:30:{row % 60:02d}.5Z,AAPL,{price},{row + 1}\n")
    return path


def start(line: str, *, cwd: Path, stderr: int = subprocess.PIPE) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "tickmesh", *shlex.split(line)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )
