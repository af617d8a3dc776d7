"""Change set files: what they may say, and what is said of those that are none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tickmesh._cli.change_set_files import read_change_set
from tickmesh.errors import InvalidArgumentError
from tickmesh.proposals import PolicyChange, SchemaProposal
from tickmesh.registered import UndecidedPolicy
from tickmesh.schema import Mode

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, *changes: Any) -> Path:
    file = folder / "changes.json"
    file.write_text(json.dumps({"changes": changes}), encoding="utf-8")
    return file


def test_a_file_names_schemas_beside_it_and_policies(tmp_path: Path) -> None:
    (tmp_path / "trades.schema.json").write_text('{"type": "object"}', encoding="utf-8")
    file = written(
        tmp_path,
        {"policy": {"mode": "none", "undecided": "WARN"}},
        {
            "register": {
                "subject": "ticks.trades",
                "file": "trades.schema.json",
                "references": {"price.json": "parts.price@3"},
                "labels": {"team": "equities"},
                "expected_version": 0,
                "effective_from": "1970-01-01T00:00:00.000000001Z",
                "allow_breaking": True,
            }
        },
        {"register": {"subject": "b", "schema": {"type": "object"}}},
    )
    assert read_change_set(file) == [
        PolicyChange(mode=Mode.NONE, undecided=UndecidedPolicy.WARN),
        SchemaProposal(
            "ticks.trades",
            '{"type": "object"}',
            references={"price.json": ("parts.price", 3)},
            labels={"team": "equities"},
            expected_version=0,
            effective_from_ns=1,
            allow_breaking=True,
        ),
        SchemaProposal("b", '{"type": "object"}'),
    ]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({}, "/changes/0"),
        ({"register": {"subject": "a"}}, "/changes/0/register"),
        ({"register": {"file": "x", "schema": {}}}, "/changes/0/register"),
        ({"register": {"subject": "a", "file": "nowhere"}}, "/changes/0/register/file"),
        ({"register": {"subject": "a", "schema": {}, "labls": {}}}, "/changes/0/register/labls"),
        (
            {"register": {"subject": "a", "schema": {}, "expected_version": True}},
            "/changes/0/register/expected_version",
        ),
        (
            {"register": {"subject": "a", "schema": {}, "references": {"x": "b"}}},
            "/changes/0/register/references/x",
        ),
        ({"policy": {"mode": "SIDEWAYS"}}, "/changes/0/policy/mode"),
    ],
)
def test_a_file_that_is_no_change_set_is_told_where(
    tmp_path: Path, change: Any, place: str
) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        read_change_set(written(tmp_path, change))
    assert f"(at {place})" in caught.value.message


@pytest.mark.parametrize("text", ["[", "[]", '{"changes": [], "more": 1}'])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "changes.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidArgumentError, match="is no change set"):
        read_change_set(file)
