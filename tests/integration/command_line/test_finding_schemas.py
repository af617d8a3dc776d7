"""`tickmesh schema list|search|timeline` and `tickmesh registry cache-stats`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.integration.command_line.conftest import SCHEMA, write_schema

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.command_line.conftest import Tickmesh

pytestmark = pytest.mark.integration


@pytest.fixture
def found(tickmesh: Tickmesh, tmp_path: Path) -> str:
    """The beginning of two subjects of this test's own: one of two versions, one of one."""
    name = f"found.{uuid.uuid4().hex[:8]}"
    with_note = SCHEMA["properties"] | {"note": {"type": "string"}}
    write_schema(tmp_path / "a1.json", SCHEMA)
    write_schema(tmp_path / "a2.json", SCHEMA | {"properties": with_note})
    for line in (
        f"{name}.a a1.json --label team=eq",
        f"{name}.a a2.json --effective-from 2030-01-01T00:00:00Z",
        f"{name}.b a1.json",
    ):
        assert tickmesh(f"schema register {line}").code == 0
    return name


def test_lists_are_filtered_and_ordered(tickmesh: Tickmesh, found: str) -> None:
    names = tickmesh(f"schema list --filter name={found}.* --order-by 'name desc' --output json")
    assert [row["subject"] for row in names.json] == [f"{found}.b", f"{found}.a"]
    labelled = tickmesh(f"schema list {found}.a --filter 'labels.team = eq' --output json")
    assert [row["version"] for row in labelled.json] == [1]
    assert "no version matches" in tickmesh(f"schema list {found}.a --filter 'version > 9'").out
    wrong = tickmesh("schema list --filter 'price = 1'")
    assert wrong.code == 1
    assert "there is no field 'price' here" in wrong.err


def test_versions_are_found_by_their_fields(tickmesh: Tickmesh, found: str) -> None:
    (hit,) = tickmesh(f"schema search --field not* --filter subject={found}.* --output json").json
    assert (hit["subject"], hit["version"]) == (f"{found}.a", 2)
    assert hit["fields"][0]["path"] == "/note"
    assert set(hit["fields"][0]) == {
        *("path", "field_id", "types", "arrow_type", "required", "role"),
    }
    table = tickmesh(f"schema search --role price --latest --filter subject={found}.*")
    assert table.out.splitlines()[0].split() == [
        *("SUBJECT", "VERSION", "FIELD", "TYPES", "ARROW", "TYPE"),
    ]
    assert len(table.out.splitlines()) == 3


def test_a_timeline_shows_what_is_in_force_when(tickmesh: Tickmesh, found: str) -> None:
    spans = tickmesh(f"schema timeline {found}.a --output json").json
    assert [span["version"] for span in spans] == [1, 2]
    assert spans[0]["until"] == spans[1]["from"] == "2030-01-01T00:00:00Z"
    assert spans[1]["until"] is None
    past = tickmesh(f"schema timeline {found}.a --until 2031-01-01T00:00:00Z --as-known-then")
    assert past.code == 0
    assert len(past.out.splitlines()) == 3
    none = tickmesh(f"schema timeline {found}.a --known-at 2000-01-01T00:00:00Z")
    assert "no version is in force then" in none.out
    assert tickmesh(f"schema timeline {found}.a --as-known-then --known-at 2000-01-01").code == 2


@pytest.mark.usefixtures("found")
def test_the_caches_of_the_registry_are_shown(tickmesh: Tickmesh) -> None:
    tiers = tickmesh("registry cache-stats --output json").json
    assert [tier["name"] for tier in tiers] == ["versions", "selections", "schemas", "fields"]
    assert tiers[0]["entries"] > 0
