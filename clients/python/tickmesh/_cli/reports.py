"""Compatibility reports, differences and changes, as commands print them."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tickmesh._cli.output import Output, instant, print_aligned, print_json
from tickmesh.registered import ChangeKind
from tickmesh.schema import Verdict
from tickmesh.schema.compatibility import NO_WITNESS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tickmesh.registered import ChangeEvent
    from tickmesh.schema import Change, ColumnPlan, CompatibilityReport, SchemaDifference

_DICTIONARY = re.compile(r"dictionary<values=(\w+), indices=\w+, ordered=[01]>")
_MARKS = {Verdict.COMPATIBLE: "ok", Verdict.INCOMPATIBLE: "no", Verdict.UNDECIDED: "? "}


def report_json(report: CompatibilityReport) -> dict[str, object]:
    """The report as JSON values."""
    return dict(report.to_json())


def print_report(report: CompatibilityReport, *, output: Output = Output.TABLE) -> None:
    """Print the verdict, and each change with its proof or its witness."""
    if output is Output.JSON:
        print_json(report_json(report))
        return
    click.echo(f"{report.verdict.value} under {report.mode.value}, policy {report.policy.value}")
    for comparison in report.comparisons:
        against = "" if comparison.version is None else f" with version {comparison.version}"
        direction, verdict = comparison.direction.value.lower(), comparison.verdict.value
        click.echo(f"  {direction}{against}: {verdict}")
        for change in comparison.changes:
            _print_change(change)


def _print_change(change: Change) -> None:
    place = change.path or "/"
    click.echo(f"    {_MARKS[change.verdict]} {place} {change.kind}: {change.message}")
    if change.proof:
        click.echo(f"       proof: {change.proof}")
    if change.witness is not NO_WITNESS:
        witness = json.dumps(change.witness, default=str)
        click.echo(f"       witness: {witness} was good and would no longer be")


def print_difference(difference: SchemaDifference, *, output: Output) -> None:
    """Print the changes, and the plan for each column."""
    if output is Output.JSON:
        print_json(asdict(difference))
        return
    if not difference.changes:
        click.echo("no change")
    for change in difference.changes:
        click.echo(f"{change.path or '/'} {change.kind}: {change.message}")
    if difference.columns:
        click.echo("columns")
        print_columns(
            [f"  {column.path}", column.action.value, _types(column), column.note]
            for column in difference.columns
        )


def _types(column: ColumnPlan) -> str:
    kinds = [type_name(kind) for kind in (column.old_type, column.new_type) if kind]
    return " -> ".join(dict.fromkeys(kinds))


def print_columns(lines: Iterable[Sequence[str]]) -> None:
    """Print what is known of columns, aligned, without titles."""
    found = list(lines)
    if found:
        print_aligned(found, to_the_right=[False] * len(found[0]))


def type_name(arrow_type: object) -> str:
    """An Arrow type in few words: how a dictionary counts its values is no news."""
    return _DICTIONARY.sub(r"dictionary(\1)", str(arrow_type))


def event_line(event: ChangeEvent, *, output: Output) -> str:
    """One change on one line."""
    version = event.schema.version if event.schema else None
    action = event.schema.action.value if event.schema else None
    if output is Output.JSON:
        body = {
            "revision": event.revision,
            "kind": event.kind.value,
            "subject": event.subject,
            "version": version,
            "action": action,
            "changed_at": instant(event.changed_at_ns),
            "principal": event.actor.principal,
            "report": report_json(event.report) if event.report else None,
        }
        return json.dumps(body, default=str)
    what = event.subject or "global settings"
    if version:
        what += f" version {version} ({action})"
    if event.kind is ChangeKind.REGISTRATION_REJECTED and event.report:
        what += f": {event.report.verdict.value}"
    moment = instant(event.changed_at_ns)
    assert moment is not None, "every change has its instant"
    return (
        f"{event.revision}  {moment.brief}  {event.kind.value}  {what}  by {event.actor.principal}"
    )
