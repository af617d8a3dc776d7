"""Compares versions under a policy and a mode."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from tickmesh.schema.compatibility.report import (
    Action,
    Change,
    Comparison,
    CompatibilityReport,
    Mode,
    Policy,
    Verdict,
    worst,
)
from tickmesh.schema.document import SchemaDocument, parse_document, parse_schema
from tickmesh.schema.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Sequence

Schema: TypeAlias = SchemaDocument | str | bytes | Mapping[str, Any] | bool
"""A schema as anybody may have it: parsed, as text, or as the JSON value of its text."""

_BY_RULES = (Policy.CONFLUENT_STRICT, Policy.CONFLUENT_LENIENT)


def compare(
    old: Schema,
    new: Schema,
    *,
    policy: Policy | str = Policy.RECORD,
    mode: Mode | str = Mode.BACKWARD,
) -> CompatibilityReport:
    """Compare two versions, without a registry.

    Args:
        old: The earlier version: its text, its JSON value, or parsed.
        new: The later version.
        policy: The question asked, for example ``"record"`` or ``"containment"``.
        mode: The directions asked, for example ``"BACKWARD"`` or ``"FULL"``; transitive modes
            equal the plain ones, there is one version.

    Raises:
        SchemaError: A text is no schema, UNKNOWN_POLICY or UNKNOWN_MODE.
    """
    policy, mode = _policy(policy), _mode(mode)
    before, after = _parsed(old, policy), _parsed(new, policy)
    return _report([(None, before)], after, policy=policy, mode=mode)


def compare_with_history(
    history: Sequence[tuple[int, SchemaDocument]],
    new: SchemaDocument,
    *,
    policy: Policy = Policy.RECORD,
    mode: Mode = Mode.BACKWARD_TRANSITIVE,
) -> CompatibilityReport:
    """Compare a candidate with the versions of a subject that the mode asks for.

    Args:
        history: The subject's versions, ascending by number.
        new: The candidate.
        policy: The question asked.
        mode: The latest version only, or every version when transitive; NONE compares nothing.
    """
    versions = list(reversed(history))
    chosen = versions if mode.transitive else versions[:1]
    return _report(chosen, new, policy=policy, mode=mode)


def action_of(previous: SchemaDocument | None, new: SchemaDocument) -> Action:
    """Return what registering a version does to its subject, whatever the mode.

    A change is compatible only when backward compatibility of rows is proven.
    """
    if previous is None:
        return Action.FIRST
    proven = compare(previous, new).verdict is Verdict.COMPATIBLE
    return Action.COMPATIBLE_CHANGE if proven else Action.BREAKING_CHANGE


def _report(
    versions: Sequence[tuple[int | None, SchemaDocument]],
    new: SchemaDocument,
    *,
    policy: Policy,
    mode: Mode,
) -> CompatibilityReport:
    comparisons = []
    for version, old in versions:
        for direction in mode.directions:
            writer, reader = (old, new) if direction is Mode.BACKWARD else (new, old)
            verdict, changes = _decide(writer, reader, policy)
            comparisons.append(Comparison(version, direction, verdict, changes))
    return CompatibilityReport(
        verdict=worst([comparison.verdict for comparison in comparisons]),
        mode=mode,
        policy=policy,
        comparisons=tuple(comparisons),
        engine=_engine(),
    )


def _decide(
    writer: SchemaDocument, reader: SchemaDocument, policy: Policy
) -> tuple[Verdict, tuple[Change, ...]]:
    if policy in _BY_RULES:
        from tickmesh.schema.compatibility.confluent import compare_by_rules

        return compare_by_rules(writer, reader, policy=policy)
    if writer.dialect is not reader.dialect:
        return Verdict.UNDECIDED, (
            Change(
                kind="dialect_changed",
                path="/$schema",
                verdict=Verdict.UNDECIDED,
                reason="DIALECT_CHANGED",
                message=f"{writer.dialect} and {reader.dialect} are not compared; write both "
                "versions in one draft",
            ),
        )
    if policy is Policy.CONTAINMENT:
        from tickmesh.schema.compatibility.documents import compare_documents

        return compare_documents(writer, reader)
    from tickmesh.schema.compatibility.record import compare_rows

    return compare_rows(writer, reader)


def _policy(policy: Policy | str) -> Policy:
    try:
        return Policy(policy)
    except ValueError:
        raise SchemaError(
            "UNKNOWN_POLICY",
            f"there is no policy {policy!r}; there are {', '.join(Policy)}",
        ) from None


def _mode(mode: Mode | str) -> Mode:
    try:
        return Mode(mode)
    except ValueError:
        raise SchemaError(
            "UNKNOWN_MODE", f"there is no mode {mode!r}; there are {', '.join(Mode)}"
        ) from None


def _parsed(schema: Schema, policy: Policy) -> SchemaDocument:
    if isinstance(schema, SchemaDocument):
        return schema
    if not isinstance(schema, (str, bytes)):
        schema = json.dumps(schema)
    return parse_schema(schema) if policy is Policy.RECORD else parse_document(schema)


@cache
def _engine() -> str:
    from importlib.metadata import version

    return f"tickmesh.schema.compatibility/2 (jsonschema-rs {version('jsonschema-rs')})"
