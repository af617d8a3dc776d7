"""What the pages show is what happens: their Python and console blocks are run against a mesh."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from contextlib import chdir
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from tests.support.mesh import ROOT, mesh_for_the_command_line
from tests.support.transcripts import Block, blocks, missing_line, steps_of
from tickmesh.cleaning import CleanerClient
from tickmesh.registry import RegistryClient
from tickmesh.ticks import TickClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tickmesh_serving.mesh import Mesh

pytestmark = pytest.mark.integration

LANGUAGES = {"python", "console"}

NOT_EXECUTED = {
    "make demo": "it makes an environment of its own; test_demo.py runs the demo itself",
    "pip install '.[server]'": "the environment is there when tests run",
    "tickmesh up": "the mesh of this test stands for it, on free ports",
}
"""Console steps that are shown and not run, with the reason."""

EXECUTED_ELSEWHERE = {
    "docs/grpcurl.md": "tests/integration/test_grpcurl.py",
    "docs/validation.md": "tests/unit/schema/validation/test_page.py",
    **dict.fromkeys(
        ("docs/databases.md", "docs/feeds.md", "docs/sinks.md", "docs/sources.md"),
        "tests/integration/cleaner/test_pages.py",
    ),
}

DEFAULT_PORTS = {
    "7470": ("registry", "grpc"),
    "7471": ("cleaner", "grpc"),
    "7472": ("tickstore", "grpc"),
    "7481": ("cleaner", "flight"),
    "7482": ("tickstore", "flight"),
}

SCHEMA = {
    "type": "object",
    "properties": {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"type": "string"},
        "price": {"type": "number", "minimum": 0},
        "size": {"type": "integer"},
    },
    "required": ["ts", "symbol", "price", "size"],
}


def pages() -> dict[str, list[Block]]:
    """Every page with Python or console blocks, and those blocks."""
    found = {}
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        shown = [block for block in blocks(page) if block.language in LANGUAGES]
        if shown:
            found[str(page.relative_to(ROOT))] = shown
    return found


PAGES = pages()


def trades(*, rows: int, bad_every: int) -> str:
    """A CSV of trades; some prices are negative."""
    lines = ["ts,symbol,price,size"]
    for row in range(rows):
        price = -1.0 if row % bad_every == 0 else 100 + row % 50
        symbol = ("AAPL", "MSFT")[row % 2]
        lines.append(f"2026-11-20T14:30:{row % 60:02d}Z,{symbol},{price:.2f},{row % 9 + 1}")
    return "\n".join(lines) + "\n"


def prepare_readme(folder: Path) -> dict[str, str]:
    (folder / "trades.csv").write_text(trades(rows=1_000, bad_every=100))
    return {}


def check_readme(names: Mapping[str, Any]) -> None:
    assert set(names["frame"]["symbol"]) == {"AAPL"}
    assert sum(table.num_rows for table in names["tables"]) == 1_000


def prepare_quarantine(folder: Path) -> dict[str, str]:
    fields = "\n".join(f'{name} = {{ from = "{name}" }}' for name in ("ts", "symbol", "size"))
    (folder / "mended.source.toml").write_text(
        f'format = "csv"\n[[records]]\nname = "trade"\n[records.fields]\n{fields}\n'
        'price = { constant = "1.0" }\n'
    )
    (folder / "trades.csv").write_text(trades(rows=200, bad_every=50))
    with RegistryClient() as registry, CleanerClient() as cleaner:
        registry.register("ticks.trades", json.dumps(SCHEMA))
        job = cleaner.create_job(
            "ticks.trades", upload_id=cleaner.upload(folder / "trades.csv"), file_name="trades.csv"
        )
        for _ in cleaner.watch_job(job.id):
            pass
        described = SCHEMA | {"title": "the same rows, better described"}
        registry.register("ticks.trades", json.dumps(described))
    looser = json.loads(json.dumps(SCHEMA))
    del looser["properties"]["price"]["minimum"]
    (folder / "looser.schema.json").write_text(json.dumps(looser))
    return {"JOB": job.id}


def check_quarantine(names: Mapping[str, Any]) -> None:
    assert names["table"].num_rows == 4
    assert (names["evidence"].rows_rejected, names["evidence"].rows_released) == (0, 4)


def prepare_flight(_: Path) -> dict[str, str]:
    with RegistryClient() as registry:
        registry.register("ticks.trades", json.dumps(SCHEMA))
    return {}


def check_flight(names: Mapping[str, Any]) -> None:
    assert (names["told"].stored, names["told"].quarantined) == (1, 1)
    assert (names["once"].through_sequence, names["once"].stored) == (2, 2)
    assert (names["again"].through_sequence, names["again"].stored) == (2, 0)
    assert names["judged"].column("_good").to_pylist() == [True, False]


def prepare_confluent(folder: Path) -> dict[str, str]:
    old = {"type": "object", "properties": {"price": {"type": "number"}}, "required": ["price"]}
    new = {**old, "properties": {"price": {"type": "number"}, "venue": {"type": "string"}}}
    (folder / "old.json").write_text(json.dumps(old))
    (folder / "new.json").write_text(json.dumps(new))
    return {}


def check_confluent(names: Mapping[str, Any]) -> None:
    assert names["answer"].settings.policy == names["settings"].policy
    assert len(names["accepted_breaks"]) == len(names["refused_though_safe"]) == 7


def prepare_protocol(_: Path) -> dict[str, str]:
    with RegistryClient() as registry:
        registry.register("ticks.trades", json.dumps(SCHEMA))
    return {}


def check_protocol(names: Mapping[str, Any]) -> None:
    assert "no.such.dataset" in names["status"].message
    assert sum(table.num_rows for table in names["tables"]) == 2


def prepare_retention(_: Path) -> dict[str, str]:
    with RegistryClient() as registry:
        registry.register("ticks.trades", json.dumps(SCHEMA))
    return {}


def check_retention(names: Mapping[str, Any]) -> None:
    assert names["dataset"].retention.max_age.seconds == 365 * 86_400
    assert names["revisions"] == {"model-7": {"ticks.trades": names["dataset"].revision}}
    assert names["trained_on"].num_rows == 0


def prepare_watch(_: Path) -> dict[str, str]:
    with RegistryClient() as registry:
        registry.register(
            "ticks.trades", '{"type": "object", "properties": {"price": {"type": "number"}}}'
        )
    return {}


def check_watch(names: Mapping[str, Any]) -> None:
    assert [kind.value for kind, _ in names["seen"]] == ["version_registered"] * 2


def prepare_projection(_: Path) -> dict[str, str]:
    return {}


def check_projection(names: Mapping[str, Any]) -> None:
    assert names["columns"].names == ["ts", "symbol", "price", "size", "levels"]
    assert names["refusal"][0] == "INVALID_ARROW_TYPE"


def prepare_compatibility(folder: Path) -> dict[str, str]:
    """Three versions of trades: a break of rows, and one that only whole documents mind."""
    old: dict[str, Any] = {
        "symbol": {"type": "string", "pattern": "^[A-Z]{1,4}$"},
        "price": {"type": "number", "minimum": 0},
        "side": {"const": "B"},
    }
    new = {
        "symbol": {"type": "string", "pattern": "^[A-Z]{1,5}$"},
        "price": {"type": "number", "exclusiveMinimum": 0},
        "side": {"enum": ["B", "S"]},
        "venue": {"type": "string", "default": "XNAS"},
    }
    looser = {**new, "price": {"type": "number"}}
    needed = ["symbol", "price"]
    versions = ((old, needed), (new, [*needed, "venue"]), (looser, [*needed, "venue"]))
    for number, (properties, required) in enumerate(versions, start=1):
        schema = {"type": "object", "properties": properties, "required": required}
        (folder / f"trades-{number}.json").write_text(json.dumps(schema))
    return {}


def check_compatibility(names: Mapping[str, Any]) -> None:
    assert {names["report"].verdict, names["back"].verdict} == {"incompatible"}


def prepare_evolution(_: Path) -> dict[str, str]:
    return {}


def check_evolution(names: Mapping[str, Any]) -> None:
    assert names["refused"].reason == "GENERATION_NOT_READABLE"
    assert names["shared"].num_rows == 6
    names["ticks"].close()
    names["registry"].close()


QUOTES = {
    "type": "object",
    "properties": {
        "ts": {"type": "string", "format": "date-time"},
        "symbol": {"type": "string"},
        "bid": {"type": "number"},
        "ask": {"type": "number"},
    },
    "required": ["ts", "symbol", "bid", "ask"],
}


def prepare_queries(_: Path) -> dict[str, str]:
    """Five minutes of trades, four a second, and of quotes, one a second, of two stocks."""
    opening, second = 1_795_185_000_000_000_000, 1_000_000_000
    rows, quotes = range(1_200), range(300)
    with RegistryClient() as registry, TickClient() as ticks:
        registry.register("ticks.trades", json.dumps(SCHEMA))
        registry.register("ticks.quotes", json.dumps(QUOTES))
        times = pa.array([opening + row * second // 4 for row in rows])
        ticks.put(
            "ticks.trades",
            pa.table(
                {
                    "ts": times.cast(pa.timestamp("ns", "UTC")),
                    "symbol": [("AAPL", "MSFT")[row % 2] for row in rows],
                    "price": [100.0 + row % 50 for row in rows],
                    "size": [row % 9 + 1 for row in rows],
                }
            ),
        )
        times = pa.array([opening + row * second for row in quotes])
        ticks.put(
            "ticks.quotes",
            pa.table(
                {
                    "ts": times.cast(pa.timestamp("ns", "UTC")),
                    "symbol": [("AAPL", "MSFT")[row % 2] for row in quotes],
                    "bid": [99.5 + row % 40 for row in quotes],
                    "ask": [100.5 + row % 40 for row in quotes],
                }
            ),
        )
    return {}


def check_queries(names: Mapping[str, Any]) -> None:
    names["ticks"].close()
    assert names["minute"].num_rows == 120
    assert names["large"].num_rows > 0
    assert names["large"].equals(names["same"])
    assert (names["now"].num_rows, names["then"].num_rows) == (2, 4)
    assert (names["met"].num_rows, names["met"].column("bid").null_count) == (1_200, 2)
    assert names["bars"].num_rows == 10
    assert names["spread"].to_pylist() == [
        {"symbol": "AAPL", "spread": 1.0},
        {"symbol": "MSFT", "spread": 1.0},
    ]
    assert names["again"].num_rows == 1_200
    assert set(names["first"].batch.column("symbol").to_pylist()) == {"AAPL"}


TABLE = pa.table(
    {
        "ts": pa.array([1, 2], pa.timestamp("ns", "UTC")),
        "symbol": ["AAPL", "MSFT"],
        "price": [1.5, 2.5],
        "size": pa.array([1, 2], pa.int64()),
    }
)

SETTINGS: dict[
    str, tuple[Callable[[Path], dict[str, str]], Callable[[Mapping[str, Any]], None]]
] = {
    "README.md": (prepare_readme, check_readme),
    "docs/compatibility.md": (prepare_compatibility, check_compatibility),
    "docs/confluent-policies.md": (prepare_confluent, check_confluent),
    "docs/arrow-projection.md": (prepare_projection, check_projection),
    "docs/quarantine.md": (prepare_quarantine, check_quarantine),
    "docs/cleaning-over-flight.md": (prepare_flight, check_flight),
    "docs/evolving-schemas.md": (prepare_evolution, check_evolution),
    "docs/retention.md": (prepare_retention, check_retention),
    "docs/watch.md": (prepare_watch, check_watch),
    "docs/queries.md": (prepare_queries, check_queries),
    "docs/tick-store-protocol.md": (prepare_protocol, check_protocol),
}
"""What a page takes as given, and what must have come of it."""


def at_addresses(text: str, mesh: Mesh) -> str:
    """The text with this mesh's addresses instead of the default ones."""

    def address(found: re.Match[str]) -> str:
        service, kind = DEFAULT_PORTS[found[1]]
        return mesh.addresses[service][kind]

    return re.sub(r"localhost:(74\d\d)", address, text)


def bare(command: str) -> str:
    """The command without the remark behind it."""
    return command.partition("  #")[0].strip()


def run_step(command: str, *, folder: Path, words: Mapping[str, str]) -> str:
    program, *arguments = shlex.split(command, comments=True)
    assert program == "tickmesh", (
        f"{command}: list it in NOT_EXECUTED, or teach this test to run it"
    )
    given = [words.get(argument, argument) for argument in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "tickmesh", *given],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode in {0, 3}, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if page not in EXECUTED_ELSEWHERE])
def test_a_page_does_what_it_shows(page: str, tmp_path: Path) -> None:
    prepare, check = SETTINGS[page]
    folder = tmp_path / "work"
    folder.mkdir()
    names: dict[str, Any] = {"table": TABLE}
    with mesh_for_the_command_line(tmp_path / "home") as mesh:
        words = prepare(folder)
        for block in PAGES[page]:
            text = at_addresses(block.text, mesh)
            if block.language == "python":
                with chdir(folder):
                    exec(compile(text, page, "exec"), names)
                continue
            for step in steps_of(Block("console", text)):
                if bare(step.command) not in NOT_EXECUTED:
                    printed = run_step(step.command, folder=folder, words=words)
                    assert missing_line(step.shown, printed) is None, f"{step.command}\n{printed}"
    check(names)


def test_every_exception_is_still_shown() -> None:
    shown = {
        bare(step.command)
        for found in PAGES.values()
        for block in found
        for step in steps_of(block)
    }
    assert [command for command in NOT_EXECUTED if command not in shown] == []


@pytest.mark.parametrize(("page", "test"), EXECUTED_ELSEWHERE.items())
def test_a_page_that_another_test_executes_is_named_there(page: str, test: str) -> None:
    assert page.rpartition("/")[2] in (ROOT / test).read_text()


def test_the_readme_is_short_and_its_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 120
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    assert [target for target in targets if not (ROOT / target).exists()] == []
    linked = {target for target in targets if target.startswith("docs/")}
    there = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md")}
    assert there | {"docs/rules/README.md"} == linked
