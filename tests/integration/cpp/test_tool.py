"""`tickmesh-cpp`, as a shell uses it, against real servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pyarrow as pa
import pytest

from tests.support.gtest_program import BUILDS
from tickmesh import TickClient
from tickmesh.config import ClientConfig
from tickmesh.registry import RegistryClient

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.integration

TOOL = BUILDS / "install" / "bin" / "tickmesh-cpp"
SCHEMA = {
    "type": "object",
    "properties": {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"enum": ["AAPL", "MSFT"]},
        "price": {"type": "number", "minimum": 0},
        "size": {"type": "integer"},
    },
    "required": ["ts", "symbol", "price", "size"],
}
ROWS = """ts,symbol,price,size
2026-11-20T14:30:00Z,AAPL,227.5,100
2026-11-20T14:30:00.250000001Z,MSFT,415.25,40
2026-11-20T14:31:00Z,AAPL,227.75,7
"""
AS_JSON = [
    {"ts": "2026-11-20T14:30:00Z", "symbol": "AAPL", "price": 227.5, "size": 100},
    {"ts": "2026-11-20T14:30:00.250000001Z", "symbol": "MSFT", "price": 415.25, "size": 40},
    {"ts": "2026-11-20T14:31:00Z", "symbol": "AAPL", "price": 227.75, "size": 7},
]


class Tool:
    """The program, with the addresses of some servers in its environment."""

    def __init__(self, servers: Mapping[str, str]) -> None:
        self.config = ClientConfig(
            registry=servers["TICKMESH_TEST_REGISTRY"],
            tickstore=servers["TICKMESH_TEST_TICKSTORE"],
            tickstore_flight=servers["TICKMESH_TEST_TICKSTORE_FLIGHT"],
        )
        self._environment = os.environ | {
            "TICKMESH_CLIENT__REGISTRY": self.config.registry,
            "TICKMESH_CLIENT__TICKSTORE": self.config.tickstore,
            "TICKMESH_CLIENT__TICKSTORE_FLIGHT": self.config.tickstore_flight,
        }

    def __call__(
        self, *arguments: str | Path, stdout: TextIO | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [TOOL, *arguments],
            env=self._environment,
            stdout=stdout or subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )

    def json(self, *arguments: str | Path) -> list[dict[str, object]]:
        done = self(*arguments, "--output", "json")
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [TOOL, *arguments],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def tool(servers: Mapping[str, str]) -> Tool:
    assert TOOL.exists(), "the tool is not installed: `make test` or `make cpp` installs it"
    return Tool(servers)


@pytest.fixture
def subject(tool: Tool) -> str:
    name = f"ticks.tool_{uuid.uuid4().hex[:12]}"
    with RegistryClient(config=tool.config) as registry:
        registry.register(name, json.dumps(SCHEMA))
    return name


@pytest.fixture
def trades(tmp_path: Path) -> Path:
    file = tmp_path / "trades.csv"
    file.write_text(ROWS, encoding="utf-8")
    return file


def test_schema_get_prints_a_version_its_columns_and_its_text(tool: Tool, subject: str) -> None:
    (found,) = tool.json("schema", "get", subject)
    assert (found["subject"], found["version"], found["state"]) == (subject, 1, "active")
    assert json.loads(str(found["text"])) == SCHEMA
    assert [column["name"] for column in found["arrow"]] == list(SCHEMA["properties"])  # type: ignore[attr-defined]
    for selection in (["--version", "1"], ["--latest"], ["--at", "2100-01-01T00:00:00Z"]):
        assert tool.json("schema", "get", subject, *selection) == [found]
    text = tool("schema", "get", subject, "--text")
    assert json.loads(text.stdout) == SCHEMA
    assert "  symbol: dictionary<" in tool("schema", "get", subject).stdout


def test_schema_watch_prints_changes_and_says_where_to_go_on(tool: Tool, subject: str) -> None:
    (first,) = tool.json("schema", "watch", subject, "--snapshot", "--count", "1")
    assert (first["subject"], first["version"], first["action"]) == (subject, 1, "first")
    watching = tool.start("schema", "watch", subject, "--after-revision", str(first["revision"]))
    with watching, RegistryClient(config=tool.config) as registry:
        wider = SCHEMA | {"properties": SCHEMA["properties"] | {"venue": {"type": "string"}}}  # type: ignore[operator]
        registry.register(subject, json.dumps(wider))
        assert watching.stdout is not None
        line = watching.stdout.readline()
        assert f"{subject} version 2 (compatible_change)" in line
        watching.send_signal(signal.SIGINT)
        _, said = watching.communicate(timeout=30)
    assert watching.returncode == 128 + signal.SIGINT, said
    assert f"next: tickmesh-cpp schema watch {subject} --after-revision " in said


def test_an_interrupted_watch_ends_in_order_every_time(tool: Tool, subject: str) -> None:
    for _ in range(15):
        with tool.start("schema", "watch", subject, "--snapshot") as watching:
            assert watching.stdout is not None
            assert subject in watching.stdout.readline()
            watching.send_signal(signal.SIGINT)
            _, said = watching.communicate(timeout=30)
        assert watching.returncode == 128 + signal.SIGINT, said


def test_ticks_put_get_and_tail_keep_every_value(
    tool: Tool, subject: str, trades: Path, tmp_path: Path
) -> None:
    (stored,) = tool.json("ticks", "put", trades, "--subject", subject)
    assert (stored["rows"], stored["version"]) == (3, 1)
    assert tool.json("ticks", "get", subject) == AS_JSON
    some = ["--symbol", "AAPL", "--column", "price", "--start", "2026-11-20T14:30:30Z"]
    assert tool.json("ticks", "get", subject, *some) == [{"price": 227.75}]
    shown = tool("ticks", "get", subject, "--limit", "1")
    assert shown.stdout.splitlines()[1].split() == ["2026-11-20T14:30:00Z", "AAPL", "227.5", "100"]

    for name in ("out.csv", "out.arrow"):
        written = tool("ticks", "get", subject, "--out", tmp_path / name)
        assert written.returncode == 0, written.stderr
    with pa.memory_map(str(tmp_path / "out.arrow")) as source:
        table = pa.ipc.open_file(source).read_all()
    with TickClient(config=tool.config) as client:
        kept = client.read(subject).to_pylist()
    assert table.to_pylist() == kept
    again = tool("ticks", "put", tmp_path / "out.csv", "--subject", subject)
    assert again.returncode == 0, again.stderr
    assert tool.json("ticks", "get", subject) == AS_JSON * 2

    tailed = tool("ticks", "tail", subject, "--count", "6")
    assert [json.loads(line) for line in tailed.stdout.splitlines()] == AS_JSON * 2


def test_a_tail_goes_on_behind_the_position_that_the_one_before_it_named(
    tool: Tool, subject: str, trades: Path
) -> None:
    assert tool("ticks", "put", trades, "--subject", subject).returncode == 0
    first = tool("ticks", "tail", subject, "--count", "3")
    (line,) = [text for text in first.stderr.splitlines() if text.startswith("next: ")]
    words = line.removeprefix("next: tickmesh-cpp ").split()
    tailing = tool.start(*words)
    with tailing:
        assert tool("ticks", "put", trades, "--subject", subject).returncode == 0
        assert tailing.stdout is not None
        seen = [json.loads(tailing.stdout.readline()) for _ in AS_JSON]
        tailing.send_signal(signal.SIGTERM)
        rest, _ = tailing.communicate(timeout=30)
    assert (seen, rest) == (AS_JSON, "")
    assert tailing.returncode == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("ts,symbol,price,size\n2026-11-20T14:30:00Z,AAPL,-1,1\n", "price"),
        ("ts,symbol,price,size\n2026-11-20T14:30:00Z,AAPL,cheap,1\n", "cheap"),
        ("ts,symbol,price,size\n2026-11-20T14:30:00,AAPL,1,1\n", "zone"),
        ("ts,symbol,price\n2026-11-20T14:30:00Z,AAPL,1\n", "size"),
        ("ts,symbol,price,size\n2026-11-20T14:30:00Z,AAPL\n", "columns"),
    ],
)
def test_a_file_with_a_bad_row_stores_nothing_and_says_what_is_wrong(
    tool: Tool, subject: str, trades: Path, content: str, expected: str
) -> None:
    good = trades.read_text(encoding="utf-8").splitlines()[1]
    header, bad = content.splitlines()
    fits = header.count(",") == good.count(",")
    trades.write_text("\n".join([header, *([good] if fits else []), bad, ""]), encoding="utf-8")
    refused = tool("ticks", "put", trades, "--subject", subject)
    assert refused.returncode == 1
    assert expected in refused.stderr, refused.stderr
    with TickClient(config=tool.config) as client:
        assert all(dataset.name != subject for dataset in client.datasets()) or (
            client.read(subject).num_rows == 0
        )


@pytest.mark.parametrize(
    ("arguments", "code", "expected"),
    [
        (["schema", "get", "ticks.no_such"], 1, "try: tickmesh schema list"),
        (["schema", "watch", "--count", "none"], 2, "--count"),
        (["ticks", "get", "ticks.no_such"], 1, "try: tickmesh ticks list"),
        (["ticks", "get", "d", "--start", "yesterday"], 1, "expected an instant"),
        (["ticks", "put", "absent.csv", "--subject", "ticks.no_such"], 1, "ticks.no_such"),
        (["ticks", "get", "d", "--limit", "-1"], 2, "--limit"),
        (["ticks", "get", "d", "--output", "xml"], 2, "--output"),
        (["ticks"], 2, "subcommand"),
        (["--registry", "nowhere", "schema", "get", "s"], 78, "host:port"),
        (["--registry", "127.0.0.1:9", "schema", "get", "s"], 69, "try: tickmesh up"),
        (["--tickstore-flight", "127.0.0.1:9", "ticks", "get", "s"], 69, "127.0.0.1:9"),
    ],
)
def test_what_goes_wrong_is_said_with_what_to_do(
    tool: Tool, arguments: list[str], code: int, expected: str
) -> None:
    failed = tool(*arguments)
    assert failed.returncode == code, failed.stderr
    assert expected in failed.stderr + failed.stdout
    assert failed.stdout == "" or code == 2


@pytest.mark.parametrize("ending", ["csv", "arrow"])
def test_a_full_disk_leaves_no_file_and_is_said(
    tool: Tool, subject: str, trades: Path, tmp_path: Path, ending: str
) -> None:
    assert tool("ticks", "put", trades, "--subject", subject).returncode == 0
    out = tmp_path / f"out.{ending}"
    # Rows go into a hidden file until all are there; this one is on a device that is always full.
    (tmp_path / f".out.{ending}.partial").symlink_to("/dev/full")
    failed = tool("ticks", "get", subject, "--out", out)
    assert failed.returncode == 1
    assert f"out.{ending} cannot be written: [errno 28] No space left on device" in failed.stderr
    assert list(tmp_path.iterdir()) == [trades]


def test_output_that_goes_nowhere_is_said(tool: Tool, subject: str, trades: Path) -> None:
    assert tool("ticks", "put", trades, "--subject", subject).returncode == 0
    for output in ("json", "table"):
        with Path("/dev/full").open("w", encoding="utf-8") as full:
            failed = tool("ticks", "get", subject, "--output", output, stdout=full)
        assert failed.returncode == 1
        assert "standard output cannot be written" in failed.stderr


@pytest.mark.parametrize(("content", "why"), [(None, "No such file"), (b"", "Empty CSV file")])
def test_a_file_that_cannot_be_read_is_said_with_what_was_expected(
    tool: Tool, subject: str, tmp_path: Path, content: bytes | None, why: str
) -> None:
    file = tmp_path / "rows.csv"
    if content is not None:
        file.write_bytes(content)
    refused = tool("ticks", "put", file, "--subject", subject)
    assert refused.returncode == 1
    assert "rows.csv cannot be read: " in refused.stderr
    assert why in refused.stderr
    assert "expected a CSV file that begins with the names of columns" in refused.stderr
