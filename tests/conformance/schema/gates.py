"""The three gates of compatibility as outcomes: tests assert them, the benchmark prints them."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.conformance.schema import change_table
from tests.conformance.schema.evolutions import evolve
from tickmesh.schema import SchemaError, parse_document, parse_schema
from tickmesh.schema.compatibility import Mode, Policy, Verdict, compare

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.conformance.schema.change_table import Row
    from tickmesh.schema import SchemaDocument
    from tickmesh.schema.compatibility import CompatibilityReport

_DRAFT_07 = "http://json-schema.org/draft-07/schema#"
_REMOTE = "http://localhost:1234/"
_EXPECTED = {"c": Verdict.COMPATIBLE, "i": Verdict.INCOMPATIBLE}


@dataclass(frozen=True)
class Outcome:
    """One question, the right answer and the one given.

    Attributes:
        question: What was asked, readable.
        truth: The right verdict.
        report: The answer; None when a schema was refused.
        writer: The schema that values are valid under.
        reader: The schema that they are to be valid under.
    """

    question: str
    truth: Verdict
    report: CompatibilityReport | None
    writer: Any
    reader: Any

    @property
    def verdict(self) -> Verdict:
        """The verdict given; a refusal decides nothing."""
        return Verdict.UNDECIDED if self.report is None else self.report.verdict


@dataclass(frozen=True)
class Score:
    """Counts over outcomes.

    Attributes:
        total: How many questions.
        right: How many answers were right; undecided is not right.
        undecided: How many were not decided.
        false_accepts: Breaking changes called compatible.
        false_rejects: Compatible changes called breaking.
    """

    total: int
    right: int
    undecided: int
    false_accepts: tuple[str, ...]
    false_rejects: tuple[str, ...]

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> Score:
        """Count outcomes."""
        known = list(outcomes)
        wrong = [each for each in known if each.verdict is not each.truth]
        return cls(
            total=len(known),
            right=len(known) - len(wrong),
            undecided=sum(each.verdict is Verdict.UNDECIDED for each in wrong),
            false_accepts=tuple(
                each.question for each in wrong if each.verdict is Verdict.COMPATIBLE
            ),
            false_rejects=tuple(
                each.question for each in wrong if each.verdict is Verdict.INCOMPATIBLE
            ),
        )


def containment_suite(suite: Path, remotes: Path) -> Iterator[Outcome]:
    """Ask the mandatory queries of the containment suite, its known errors corrected (gate 1).

    Args:
        suite: The folder of the suite.
        remotes: The folder of the schemas that its references lead to; they are held in memory.
    """
    corrections = json.loads((suite / "corrections.json").read_text())
    pinned = _remote_schemas(remotes)
    for group, name, case in _cases(suite / "tests" / "draft7"):
        if f"{group}/{name}" in corrections["unresolvable"]["ids"]:
            continue
        references = pinned if _REMOTE in json.dumps(case) else {}
        for query, label in case["tests"].items():
            wrong = corrections["wrong"].get(group)
            truth = label
            if wrong and wrong["query"] == query and name in wrong["ids"]:
                truth = wrong["truth"]
            names = ("schema1", "schema2") if query == "s1SubsetEqOfs2" else ("schema2", "schema1")
            writer, reader = (case[each] for each in names)
            try:
                report = compare(
                    _draft_07(writer, references),
                    _draft_07(reader, references),
                    policy=Policy.CONTAINMENT,
                )
            except SchemaError:
                # The draft's own meta-schema is no pinned reference.
                report = None
            expected = Verdict.COMPATIBLE if truth else Verdict.INCOMPATIBLE
            yield Outcome(f"{group}/{name} {query}", expected, report, writer, reader)


def _cases(folder: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path in sorted(folder.rglob("*.json")):
        if "optional" not in path.parts:
            for case in json.loads(path.read_text()):
                yield path.parent.name, f"{path.name}#{case['id']}", case


def _draft_07(schema: Any, references: dict[str, SchemaDocument]) -> SchemaDocument:
    if not isinstance(schema, dict):
        schema = {"allOf": [schema]}
    return parse_document(json.dumps({**schema, "$schema": _DRAFT_07}), references=references)


def _remote_schemas(folder: Path) -> dict[str, SchemaDocument]:
    """The schemas by their URI; those that need others may use the ones before them."""
    found: dict[str, SchemaDocument] = {}
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        if name.startswith(("draft", "v1")) and not name.startswith("draft7"):
            continue
        schema = json.loads(path.read_text())
        for references in ({}, dict(found)):
            try:
                found[_REMOTE + name] = _draft_07(schema, references)
            except SchemaError:
                continue
            break
    return found


def change_table_outcomes(
    rows: Iterable[Row] = tuple(change_table.ROWS.values()),
    policies: tuple[Policy, ...] = (Policy.RECORD, Policy.CONTAINMENT),
) -> Iterator[Outcome]:
    """Ask about every change at every place, both ways (gate 2)."""
    for row in rows:
        placed = [
            change_table.positions(schema, draft_07=row.draft_07)
            for schema in change_table.objects(row)
        ]
        for policy in policies:
            for place in change_table.PLACES:
                pair = [schemas[place] for schemas in placed]
                letters = change_table.letters(row, place, policy)
                for direction, letter in zip((Mode.BACKWARD, Mode.FORWARD), letters, strict=True):
                    report = compare(
                        json.dumps(pair[0]), json.dumps(pair[1]), policy=policy, mode=direction
                    )
                    writer, reader = pair if direction is Mode.BACKWARD else reversed(pair)
                    question = f"{row.name} ({place}, {policy}, {direction})"
                    yield Outcome(question, _EXPECTED[letter], report, writer, reader)


@dataclass(frozen=True)
class Evolution:
    """One direction of a generated evolution, and its verdict.

    Attributes:
        written: The writer's schema as generated.
        writer: The same, parsed.
        reader: The reader's schema, parsed.
        report: The answer.
    """

    written: dict[str, Any]
    writer: SchemaDocument
    reader: SchemaDocument
    report: CompatibilityReport


def evolutions(count: int, *, seed: int) -> Iterator[Evolution]:
    """Generate evolutions of tick schemas and judge each both ways (gate 3).

    Args:
        count: How many directions to yield.
        seed: Of the generator.
    """
    generator = random.Random(seed)
    yielded = 0
    while yielded < count:
        schemas = evolve(generator)
        try:
            old, new = (parse_schema(json.dumps(schema)) for schema in schemas)
        except SchemaError:
            continue
        for mode in (Mode.BACKWARD, Mode.FORWARD):
            backward = mode is Mode.BACKWARD
            writer, reader = (old, new) if backward else (new, old)
            report = compare(old, new, mode=mode)
            yield Evolution(schemas[0 if backward else 1], writer, reader, report)
            yielded += 1
