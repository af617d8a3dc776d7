"""The verbs of `tickmesh schema` that change versions after, or with, others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tickmesh._cli.output import Output, output_option, print_json
from tickmesh.registered import Registration

if TYPE_CHECKING:
    from tickmesh.registered import CompatibilitySettings, RegisteredSchema

_EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.argument("subject")
@click.argument("version", type=click.IntRange(min=1))
@click.option("--note", default="", help="Why, and what to use instead.")
@output_option
def deprecate(*, subject: str, version: int, note: str, output: Output) -> None:
    """Mark VERSION of SUBJECT as one that new writers should leave."""
    from tickmesh.registry import RegistryClient

    with RegistryClient() as client:
        _print_state(client.deprecate(subject, version=version, note=note), output=output)


@click.command()
@click.argument("subject")
@click.argument("version", type=click.IntRange(min=1))
@output_option
def delete(*, subject: str, version: int, output: Output) -> None:
    """Hide VERSION of SUBJECT from latest and in force.

    It stays readable, transitive checks still see it, and restore brings it back.
    """
    from tickmesh.registry import RegistryClient

    with RegistryClient() as client:
        _print_state(client.delete(subject, version=version), output=output)


@click.command()
@click.argument("subject")
@click.argument("version", type=click.IntRange(min=1))
@output_option
def remove(*, subject: str, version: int, output: Output) -> None:
    """Remove the text of a deleted VERSION of SUBJECT for good.

    Its number, schema id and fingerprint stay as a tombstone. There is no way back.
    """
    from tickmesh.registry import RegistryClient

    with RegistryClient() as client:
        _print_state(client.remove(subject, version=version), output=output)


@click.command()
@click.argument("subject")
@click.argument("version", type=click.IntRange(min=1))
@output_option
def restore(*, subject: str, version: int, output: Output) -> None:
    """Make VERSION of SUBJECT active again."""
    from tickmesh.registry import RegistryClient

    with RegistryClient() as client:
        _print_state(client.restore(subject, version=version), output=output)


@click.command()
@click.argument("file", type=_EXISTING_FILE)
@click.option("--dry-run", is_flag=True, help="Judge, and write nothing.")
@output_option
def apply(*, file: Path, dry_run: bool, output: Output) -> None:
    """Register schemas and change policies as FILE says, all or none.

    FILE is JSON: {"changes": [...]}, each {"register": {"subject": ..., "file": ...}} or {"policy":
    {"subject": ..., "mode": ...}}; schema files are found beside it. Later ones see earlier ones.
    """
    from tickmesh._cli.change_set_files import read_change_set
    from tickmesh.registry import RegistryClient

    items = read_change_set(file)
    with RegistryClient() as client:
        outcome = client.apply_change_set(items, dry_run=dry_run)
    named = [item.subject or "" for item in items]
    if output is Output.JSON:
        results = [
            _result_facts(subject, result)
            for subject, result in zip(named, outcome.results, strict=True)
        ]
        print_json({"revision": outcome.revision, "results": results})
        return
    verb = "would register" if dry_run else "registered"
    for subject, result in zip(named, outcome.results, strict=True):
        if isinstance(result, Registration):
            schema = result.schema
            done = "already registered" if result.already_registered else verb
            click.echo(f"{done} {subject} version {schema.version} ({schema.action})")
        else:
            policy = f"{result.mode.value}, policy {result.policy.value}"
            click.echo(f"{subject or 'global settings'}: {policy}, undecided {result.undecided}")
    click.echo(f"revision {outcome.revision}")


def _result_facts(subject: str, result: Registration | CompatibilitySettings) -> dict[str, object]:
    if isinstance(result, Registration):
        return {
            "subject": subject,
            "version": result.schema.version,
            "schema_id": result.schema.schema_id,
            "action": result.schema.action.value,
            "verdict": result.report.verdict.value,
            "already_registered": result.already_registered,
        }
    return {
        "subject": subject,
        "mode": result.mode.value,
        "policy": result.policy.value,
        "undecided": result.undecided.value,
    }


def _print_state(schema: RegisteredSchema, *, output: Output) -> None:
    if output is Output.JSON:
        print_json(
            {
                "subject": schema.subject,
                "version": schema.version,
                "state": schema.state.value,
                "deprecation_note": schema.deprecation_note,
            }
        )
        return
    note = f": {schema.deprecation_note}" if schema.deprecation_note else ""
    click.echo(f"{schema.subject} version {schema.version} is {schema.state.value}{note}")
