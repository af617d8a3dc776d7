"""Compatibility reports, differences and changes, as commands print them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from tickmesh._cli.output import Output, instant, print_json
from tickmesh.registered import ChangeKind
from tickmesh.schema import Verdict

if TYPE_CHECKING:
    from tickmesh.registered import ChangeEvent
    from tickmesh.schema import Change, CompatibilityReport, SchemaDifference

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
    if change.verdict is Verdict.INCOMPATIBLE and change.witness is not None:
        witness = json.dumps(change.witness, default=str)
        click.echo(f"       witness: {witness} was valid and no longer is")


def print_difference(difference: SchemaDifference, *, output: Output) -> None:
    """Print the changes, and the plan for each column."""
    if output is Output.JSON:
        print_json(asdict(difference))
        return
    if not difference.changes:
        click.echo("no change")
    for change in difference.changes:
        click.echo(f"  {change.path or '/'} {change.kind}: {change.message}")
    if difference.columns:
        click.echo("columns")
    for column in difference.columns:
        types = " -> ".join(str(kind) for kind in (column.old_type, column.new_type) if kind)
        note = f"  ({column.note})" if column.note else ""
        click.echo(f"  {column.path}: {column.action} {types}{note}")


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
    return f"{event.revision}  {moment}  {event.kind.value}  {what}  by {event.actor.principal}"
