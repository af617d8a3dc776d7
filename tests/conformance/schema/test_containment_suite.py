"""The independent containment suite: at least 99 % right, and no false accept (gate 1)."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.shared_data import shared_folder
from tickmesh.schema import SchemaError, parse_document
from tickmesh.schema.compatibility import Policy, Verdict, compare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tickmesh.schema import SchemaDocument

_DRAFT_07 = "http://json-schema.org/draft-07/schema#"
_REMOTE = "http://localhost:1234/"
_QUERIES = 2_554


def _parse(schema: Any, references: dict[str, SchemaDocument]) -> SchemaDocument:
    if not isinstance(schema, dict):
        schema = {"allOf": [schema]}
    return parse_document(json.dumps({**schema, "$schema": _DRAFT_07}), references=references)


@pytest.fixture(scope="module")
def remotes() -> dict[str, SchemaDocument]:
    """The suite's remote schemas that need no others, by their URI; held in memory."""
    folder = shared_folder("json-schema-test-suite") / "remotes"
    found: dict[str, SchemaDocument] = {}
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        if name.startswith(("draft", "v1")) and not name.startswith("draft7"):
            continue
        schema = json.loads(path.read_text())
        try:
            found[_REMOTE + name] = _parse(schema, {})
        except SchemaError:
            with_others = dict(found)
            try:
                found[_REMOTE + name] = _parse(schema, with_others)
            except SchemaError:
                continue
    return found


def _cases(folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path in sorted(folder.rglob("*.json")):
        if "optional" not in path.parts:
            for case in json.loads(path.read_text()):
                yield path.parent.name, f"{path.name}#{case['id']}", case


def _truth(
    corrections: dict[str, Any], group: str, identifier: str, query: str, label: bool
) -> bool:
    wrong = corrections["wrong"].get(group)
    if wrong and wrong["query"] == query and identifier in wrong["ids"]:
        return bool(wrong["truth"])
    return label


def test_the_containment_suite_is_decided(remotes: dict[str, SchemaDocument]) -> None:
    folder = shared_folder("json-schema-containment")
    corrections = json.loads((folder / "corrections.json").read_text())
    outcomes: Counter[str] = Counter()
    false_accepts = []
    for group, identifier, case in _cases(folder / "tests" / "draft7"):
        if f"{group}/{identifier}" in corrections["unresolvable"]["ids"]:
            continue
        references = remotes if _REMOTE in json.dumps(case) else {}
        for query, label in case["tests"].items():
            truth = _truth(corrections, group, identifier, query, label)
            try:
                pair = [_parse(case[name], references) for name in ("schema1", "schema2")]
            except SchemaError:
                # The draft's own meta-schema is no pinned reference: refused, counted as not right.
                outcomes["refused"] += 1
                continue
            old, new = pair if query == "s1SubsetEqOfs2" else reversed(pair)
            verdict = compare(old, new, policy=Policy.CONTAINMENT).verdict
            right = Verdict.COMPATIBLE if truth else Verdict.INCOMPATIBLE
            outcomes["right" if verdict is right else str(verdict)] += 1
            if verdict is Verdict.COMPATIBLE and not truth:
                false_accepts.append((group, identifier, query))
    assert outcomes.total() == _QUERIES
    assert not false_accepts
    assert outcomes["right"] >= 0.99 * _QUERIES, outcomes
