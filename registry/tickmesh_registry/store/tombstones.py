"""What becomes of what was told about a version once it is removed for good: the same everywhere.

The verdict stays, the comparisons go: their changes and witnesses quote the schema.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from . import RegisteredOutcome

if TYPE_CHECKING:
    from tickmesh_registry.domain.changes import Change
    from tickmesh_registry.domain.versions import Version

    from . import Outcome


def bare_report(report: str, version: int, *, of_version: bool) -> str:
    """A compatibility report without what quotes a removed version of its subject.

    Args:
        report: The report as JSON text.
        version: The removed version.
        of_version: Whether the report judged that very version; it then quotes it everywhere.
    """
    content = json.loads(report)
    kept = [
        comparison
        for comparison in content["comparisons"]
        if not of_version and comparison["version"] != version
    ]
    if len(kept) == len(content["comparisons"]):
        return report
    return json.dumps({**content, "comparisons": kept})


def bare_outcome(outcome: Outcome, subject: str, version: int) -> Outcome:
    """An outcome as it is answered again after a version was removed."""
    if not isinstance(outcome, RegisteredOutcome):
        return outcome
    if outcome.subject != subject:
        return outcome
    report = bare_report(outcome.report, version, of_version=outcome.version == version)
    return replace(outcome, report=report)


def bare_change(change: Change, subject: str, version: int) -> Change:
    """An entry of the log as it is read after a version was removed."""
    if change.subject != subject:
        return change
    report = change.report
    if report is not None:
        of_version = change.schema is not None and change.schema.version == version
        report = bare_report(report, version, of_version=of_version)
    return replace(
        change,
        schema=_bare(change.schema, version),
        previous=_bare(change.previous, version),
        report=report,
    )


def _bare(version: Version | None, number: int) -> Version | None:
    if version is None or version.version != number:
        return version
    return version.without_texts(version.state, version.deprecation_note)
