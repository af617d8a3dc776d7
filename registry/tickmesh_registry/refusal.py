"""Saying why a schema was refused, within the bounds of an error and of an event."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from .domain.compatibility import Verdict
from .domain.errors import IncompatibleSchemaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .domain.compatibility import Settings
    from .formats import Judgement

_MAX_REPORT_BYTES = 512 << 10
_MAX_VIOLATIONS = 8
_MAX_WITNESS = 160


def refusal_of(
    subject: str, settings: Settings, judgement: Judgement, *, revision: int | None
) -> IncompatibleSchemaError:
    """The error of a refused registration: the first reasons in words, the rest by the report.

    Args:
        subject: The subject.
        settings: What was asked of the candidate.
        judgement: What was found.
        revision: The revision that tells of the refusal, if it became an event.
    """
    failures = list(_failures(judgement.content))
    metadata = {
        "subject": subject,
        "mode": settings.mode.value,
        "policy": settings.policy.value,
        "verdict": judgement.verdict.value,
        "versions": ",".join(dict.fromkeys(str(version) for version, _ in failures)),
    }
    if revision is not None:
        metadata["revision"] = str(revision)
    first = next((change["message"] for _, change in failures), "see the report")
    verb = "breaks" if judgement.verdict is Verdict.INCOMPATIBLE else "is not proven to keep"
    return IncompatibleSchemaError(
        f"the schema {verb} {settings.mode.value} compatibility of {subject!r} under policy "
        f"{settings.policy.value}: {first}; mend the schema, or ask CheckCompatibility for the "
        "whole report, or register with allow_breaking",
        metadata=metadata,
        violations=[_violation(version, change) for version, change in failures[:_MAX_VIOLATIONS]],
    )


def _failures(content: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Changes that are not compatible, refuted ones first."""
    for verdict in (Verdict.INCOMPATIBLE, Verdict.UNDECIDED):
        for comparison in content["comparisons"]:
            for change in comparison["changes"]:
                if change["verdict"] == verdict:
                    yield comparison["version"] or 0, change


def _violation(version: int, change: Mapping[str, Any]) -> tuple[str, str]:
    shown = json.dumps(change["witness"]) if "witness" in change else ""
    if len(shown) > _MAX_WITNESS:
        shown = ""
    return (
        f"text#{change['path']}",
        f"version {version}, {change['reason']}: {change['message']}"
        + (f"; for example {shown}" if shown else ""),
    )


def bounded_report(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The report as it is kept and sent: compatible changes give way when it is too long.

    Verdicts always stay. What is left out first are changes proven compatible, then changes of
    the older versions compared.
    """
    if len(json.dumps(content)) <= _MAX_REPORT_BYTES:
        return content
    room = _MAX_REPORT_BYTES
    comparisons = []
    for comparison in content["comparisons"]:
        changes = []
        for change in comparison["changes"]:
            size = len(json.dumps(change))
            if change["verdict"] != Verdict.COMPATIBLE and size <= room:
                changes.append(change)
                room -= size
        comparisons.append({**comparison, "changes": changes})
    return {**content, "comparisons": comparisons}
