"""`tickmesh schema`: infer, register, look up, compare and follow schemas."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tickmesh._cli import FINDINGS, UNDECIDED
from tickmesh._cli.instant import Instant
from tickmesh._cli.output import (
    Output,
    command_line,
    instant,
    output_option,
    print_facts,
    print_json,
    print_rows,
)
from tickmesh._cli.reports import (
    event_line,
    print_columns,
    print_difference,
    print_report,
    report_json,
    type_name,
)
from tickmesh._cli.schema_changes import apply, delete, deprecate, remove, restore
from tickmesh._cli.schema_judging import backtest, explain, validate
from tickmesh._cli.text_files import read_text
from tickmesh.errors import IncompatibleSchemaError, InvalidArgumentError
from tickmesh.proposals import DataReport
from tickmesh.schema import Mode, Policy, Verdict

if TYPE_CHECKING:
    from tickmesh.registered import RegisteredSchema, SubjectSummary
    from tickmesh.schema import SchemaDocument

_EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_MODES = click.Choice([mode.value for mode in Mode], case_sensitive=False)
_POLICIES = click.Choice([policy.value for policy in Policy], case_sensitive=False)
_EXIT_CODES = {
    Verdict.COMPATIBLE: 0,
    Verdict.INCOMPATIBLE: FINDINGS,
    Verdict.UNDECIDED: UNDECIDED,
}


@click.group()
def schema() -> None:
    """Infer, register, look up, compare and follow schemas."""


@schema.command()
@click.argument("file", type=_EXISTING_FILE)
@click.option("--subject", help="The subject to name the result after; the file's name if absent.")
@click.option(
    "--out",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="The folder to write to; this one if absent.",
)
@click.option(
    "--sample",
    "sample_records",
    type=click.IntRange(min=1),
    default=10_000,
    show_default=True,
    help="How many records to look at.",
)
@click.option("--replace", is_flag=True, help="Overwrite what an earlier run wrote.")
@output_option
def infer(
    *,
    file: Path,
    subject: str | None,
    directory: Path,
    sample_records: int,
    replace: bool,
    output: Output,
) -> None:
    """Guess a schema and a source spec from a sample of FILE.

    Writes SUBJECT.schema.json and SUBJECT.source.toml for you to read and mend; registers nothing.
    """
    from tickmesh.decoding.decoded import DecodeError
    from tickmesh.decoding.inference import infer as infer_source

    name = subject or file.name.split(".")[0]
    schema_file = directory / f"{name}.schema.json"
    spec_file = directory / f"{name}.source.toml"
    for target in (schema_file, spec_file):
        if target.exists() and not replace:
            raise click.UsageError(
                f"{target} exists and may hold your changes; choose another folder with --out, "
                "or overwrite it with --replace"
            )
    try:
        inferred = infer_source(file, subject=name, sample_records=sample_records)
    except DecodeError as error:
        message = f"{file.name} cannot be read: {error.message}"
        raise InvalidArgumentError(message, reason=error.code) from None
    directory.mkdir(parents=True, exist_ok=True)
    schema_file.write_text(inferred.schema_text, encoding="utf-8")
    spec_file.write_text(inferred.spec_text, encoding="utf-8")
    if output is Output.JSON:
        written = {"schema_file": str(schema_file), "source_spec_file": str(spec_file)}
        print_json({"subject": name, **written, "notes": list(inferred.notes)})
        return
    click.echo(f"wrote {schema_file} and {spec_file}")
    for note in inferred.notes:
        click.echo(f"  note: {note}")
    click.echo(f"next: {command_line('schema', 'register', name, schema_file)}")
    clean = command_line("clean", file, "--source", spec_file, "--subject", name)
    click.echo(f"then: {clean}")


@schema.command()
@click.argument("subject")
@click.argument("file", type=_EXISTING_FILE)
@click.option("--allow-breaking", is_flag=True, help="Register it even if it is refused.")
@click.option("--dry-run", is_flag=True, help="Judge, and register nothing.")
@click.option("--expected-version", type=int, help="Refuse if the latest version is another one.")
@click.option(
    "--effective-from", type=Instant(), help="From when on it is in force; now if absent."
)
@click.option("--label", "labels", multiple=True, metavar="KEY=VALUE", help="A label; repeatable.")
@click.option(
    "--data-report",
    type=_EXISTING_FILE,
    help="What `schema backtest --report` wrote: kept with the version as evidence.",
)
@output_option
def register(
    *,
    subject: str,
    file: Path,
    allow_breaking: bool,
    dry_run: bool,
    expected_version: int | None,
    effective_from: int | None,
    labels: tuple[str, ...],
    data_report: Path | None,
    output: Output,
) -> None:
    """Register the schema in FILE as the next version of SUBJECT.

    It is refused where it breaks the subject's compatibility mode, with a row that shows why.
    """
    from tickmesh.registry import RegistryClient

    with RegistryClient() as client:
        try:
            outcome = client.register(
                subject,
                read_text(file),
                allow_breaking=allow_breaking,
                dry_run=dry_run,
                expected_version=expected_version,
                effective_from_ns=effective_from,
                labels=dict(_label(label) for label in labels),
                data_report=DataReport.parse(read_text(data_report)) if data_report else None,
            )
        except IncompatibleSchemaError as error:
            error.next_command = command_line("schema", "check", subject, file)
            raise
    if output is Output.JSON:
        facts = _facts(outcome.schema) | {"report": report_json(outcome.report)}
        print_json(facts | {"already_registered": outcome.already_registered})
        return
    if outcome.report.comparisons:
        print_report(outcome.report)
    verb = "would register" if dry_run else "registered"
    if outcome.already_registered:
        verb = "already registered"
    version, action = outcome.schema.version, outcome.schema.action
    click.echo(f"{verb} {subject} version {version} ({action}), revision {outcome.revision}")


@schema.command()
@click.argument("subject")
@click.option("--version", type=int, help="A version; the one in force if absent.")
@click.option("--latest", is_flag=True, help="The highest version that is not deleted.")
@click.option("--at", type=Instant(), help="The one in force at this instant.")
@click.option("--known-at", type=Instant(), help="With --at: as it was known at this instant.")
@click.option("--text", is_flag=True, help="Print only the schema text.")
@output_option
def get(
    *,
    subject: str,
    version: int | None,
    latest: bool,
    at: int | None,
    known_at: int | None,
    text: bool,
    output: Output,
) -> None:
    """Print a version of SUBJECT, by default the one in force."""
    from tickmesh.registry import RegistryClient

    with RegistryClient() as client:
        if version is not None:
            found = client.get(subject, version=version)
        elif latest:
            found = client.latest(subject)
        else:
            found = client.in_force(subject, at_ns=at, known_at_ns=known_at)
    if text:
        click.echo(found.text)
        return
    if output is Output.JSON:
        columns = [
            {"name": field.name, "type": str(field.type), "nullable": field.nullable}
            for field in found.arrow_schema
        ]
        print_json(_facts(found) | {"text": found.text, "columns": columns})
        return
    print_facts(_facts(found), output=output)
    click.echo("columns")
    print_columns(
        [f"  {field.name}", type_name(field.type), "" if field.nullable else "required"]
        for field in found.arrow_schema
    )


@schema.command("list")
@click.argument("subject", required=False)
@click.option("--prefix", default="", help="Only subjects whose names begin with this.")
@click.option("--filter", "where", default="", help="Only what matches, such as 'state = active'.")
@click.option("--order-by", default="", help="A field, with ' desc' for the highest first.")
@output_option
def list_(*, subject: str | None, prefix: str, where: str, order_by: str, output: Output) -> None:
    """List subjects, or the versions of SUBJECT.

    docs/filters.md says what a filter may hold. Subjects are ordered by name, revision or
    version_count, versions by version or effective_from.
    """
    from tickmesh.registry import RegistryClient

    with RegistryClient() as client:
        if subject is None:
            rows: list[dict[str, object]] = [
                {"subject": found.name, "latest": found.latest_version, **_counts(found)}
                for found in client.subjects(prefix=prefix, where=where, order_by=order_by)
            ]
            columns = ["subject", "latest", "versions", "revision"]
            empty = "no subjects yet; next: tickmesh schema infer FILE, then schema register"
            if prefix:
                empty = f"no subject begins with {prefix}"
            if where:
                empty = "no subject matches"
            print_rows(rows, columns=columns, output=output, empty=empty)
            return
        columns = ["version", "schema_id", "state", "action", "registered_at", "effective_from"]
        versions = [
            _facts(found) for found in client.versions(subject, where=where, order_by=order_by)
        ]
    print_rows(versions, columns=columns, output=output, empty="no version matches")


@schema.command()
@click.argument("subject")
@click.argument("file", type=_EXISTING_FILE)
@click.option(
    "--version", "versions", type=int, multiple=True, help="Compare with this version; repeatable."
)
@click.option("--mode", type=_MODES, help="The mode; the subject's own if absent.")
@click.option("--policy", type=_POLICIES, help="The policy; the subject's own if absent.")
@output_option
def check(
    *,
    subject: str,
    file: Path,
    versions: tuple[int, ...],
    mode: str | None,
    policy: str | None,
    output: Output,
) -> int:
    """Judge whether the schema in FILE may follow SUBJECT's versions.

    Exit code 3 says that it may not.
    """
    from tickmesh.registry import RegistryClient

    with RegistryClient() as client:
        report = client.check(
            subject,
            read_text(file),
            versions=versions,
            mode=Mode(mode.upper()) if mode else None,
            policy=Policy(policy.lower()) if policy else None,
        )
    print_report(report, output=output)
    return 0 if report.verdict is Verdict.COMPATIBLE else FINDINGS


@schema.command()
@click.argument("old", type=_EXISTING_FILE)
@click.argument("new", type=_EXISTING_FILE)
@click.option(
    "--mode",
    type=_MODES,
    default=Mode.BACKWARD.value,
    show_default=True,
    help="Which values must be good: BACKWARD old ones under NEW, FORWARD new ones under OLD.",
)
@click.option(
    "--policy",
    type=_POLICIES,
    default=Policy.RECORD.value,
    show_default=True,
    help="How changes are judged.",
)
@output_option
def compare(*, old: Path, new: Path, mode: str, policy: str, output: Output) -> int:
    """Judge two files without a server: may NEW follow OLD?

    Exit code 3 says that it may not, 4 that it could not be decided.
    """
    from tickmesh import schema as core

    asked = Policy(policy.lower())
    of_rows = asked is Policy.RECORD
    report = core.compare(
        _document(old, of_rows=of_rows),
        _document(new, of_rows=of_rows),
        policy=asked,
        mode=Mode(mode.upper()),
    )
    print_report(report, output=output)
    return _EXIT_CODES[report.verdict]


@schema.command()
@click.argument("old")
@click.argument("new")
@output_option
def diff(*, old: str, new: str, output: Output) -> None:
    """Show what changes from OLD to NEW, column by column.

    Each is a file, or SUBJECT@VERSION.
    """
    from tickmesh import schema as core

    print_difference(core.diff(_file_or_version(old), _file_or_version(new)), output=output)


@schema.command()
@click.option("--field", "name", default="", help="A field of this name; * stands for anything.")
@click.option("--path", default="", help="A field at this path of names, such as /quote/bid.")
@click.option("--type", "kind", default="", help="The field admits this JSON type.")
@click.option("--role", default="", help="The field plays this tick role.")
@click.option("--filter", "where", default="", help="Only versions that match.")
@click.option("--latest", is_flag=True, help="Look at the latest version of each subject only.")
@output_option
def search(
    *, name: str, path: str, kind: str, role: str, where: str, latest: bool, output: Output
) -> None:
    """Find the versions that have a field, and show it.

    docs/filters.md says what a filter may hold.
    """
    from tickmesh.registered import FieldCondition
    from tickmesh.registry import RegistryClient

    condition = FieldCondition(name=name, path=path, type=kind, role=role)
    asked = [] if condition == FieldCondition() else [condition]
    with RegistryClient() as client:
        found = list(client.search(*asked, where=where, latest_only=latest))
    if output is Output.JSON:
        print_json(
            [
                _facts(hit.schema) | {"fields": [asdict(each) for each in hit.fields]}
                for hit in found
            ]
        )
        return
    rows: list[dict[str, object]] = [
        {
            "subject": hit.schema.subject,
            "version": hit.schema.version,
            "field": field and field.path,
            "types": field and ", ".join(field.types),
            "arrow_type": field and type_name(field.arrow_type),
        }
        for hit in found
        for field in hit.fields or (None,)
    ]
    columns = ["subject", "version", "field", "types", "arrow_type"]
    print_rows(rows, columns=columns, output=output, empty="no version matches")


@schema.command()
@click.argument("subject")
@click.option("--from", "start", type=Instant(), help="From this instant on.")
@click.option("--until", "end", type=Instant(), help="Until this instant.")
@click.option("--known-at", type=Instant(), help="As it was known at this instant.")
@click.option(
    "--as-known-then", is_flag=True, help="As it was known at each instant: no future is known."
)
@output_option
def timeline(
    *,
    subject: str,
    start: int | None,
    end: int | None,
    known_at: int | None,
    as_known_then: bool,
    output: Output,
) -> None:
    """Show which version of SUBJECT is in force when."""
    from tickmesh.registered import Knowledge
    from tickmesh.registry import RegistryClient

    if as_known_then and known_at is not None:
        raise click.UsageError("--known-at and --as-known-then exclude each other")
    knowledge = Knowledge.AT_EACH_INSTANT if as_known_then else Knowledge.NOW
    if known_at is not None:
        knowledge = Knowledge.AT_INSTANT
    with RegistryClient() as client:
        spans = client.get_timeline(
            subject, start_ns=start, end_ns=end, knowledge=knowledge, known_at_ns=known_at
        )
    rows: list[dict[str, object]] = [
        {
            "from": instant(span.start_ns),
            "until": None if span.end_ns is None else instant(span.end_ns),
            "version": span.schema.version,
            "state": span.schema.state.value,
            "registered_at": instant(span.schema.registered_at_ns),
        }
        for span in spans
    ]
    columns = ["from", "until", "version", "state", "registered_at"]
    print_rows(rows, columns=columns, output=output, empty="no version is in force then")


@schema.command()
@click.argument("subjects", nargs=-1)
@click.option("--prefix", default="", help="Only subjects whose names begin with this.")
@click.option("--after-revision", type=int, help="Begin after this revision.")
@click.option("--snapshot", is_flag=True, help="Begin with everything as it is.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many changes.")
@output_option
def watch(
    *,
    subjects: tuple[str, ...],
    prefix: str,
    after_revision: int | None,
    snapshot: bool,
    count: int | None,
    output: Output,
) -> None:
    """Follow changes of SUBJECTS, or of all, as they happen.

    One line a change; a broken connection is resumed. When it ends, standard error says from which
    revision to go on.
    """
    from tickmesh.registry import RegistryClient

    seen = 0
    revision = after_revision
    with RegistryClient() as client:
        messages = client.watch(
            subjects=subjects, prefix=prefix, after_revision=after_revision, snapshot=snapshot
        )
        try:
            for message in messages:
                events = message.events if count is None else message.events[: count - seen]
                for event in events:
                    click.echo(event_line(event, output=output))
                seen += len(events)
                if len(events) == len(message.events):
                    revision = message.revision or revision
                if seen == count:
                    return
        finally:
            if revision is not None:
                names = [*subjects, *(("--prefix", prefix) if prefix else ())]
                line = command_line("schema", "watch", *names, "--after-revision", revision)
                click.echo(f"next: {line}", err=True)


for command in (deprecate, delete, remove, restore, apply, backtest, validate, explain):
    schema.add_command(command)


def _document(file: Path, *, of_rows: bool = True) -> SchemaDocument:
    from tickmesh.schema import SchemaError, parse_document, parse_schema

    parse = parse_schema if of_rows else parse_document
    try:
        return parse(read_text(file))
    except SchemaError as error:
        message = f"{file.name} is no schema: {error.message} (at {error.pointer or 'the root'})"
        raise InvalidArgumentError(message, reason=error.reason) from None


def _file_or_version(name: str) -> SchemaDocument:
    subject, separator, version = name.rpartition("@")
    if not separator or Path(name).exists():
        path = Path(name)
        if not path.is_file():
            raise click.BadParameter(f"{name} is neither a file nor SUBJECT@VERSION")
        return _document(path)
    if not version.isdigit():
        raise click.BadParameter(f"expected a number after @, was {version!r}")
    from tickmesh.registry import RegistryClient

    with RegistryClient() as client:
        return client.get(subject, version=int(version)).document


def _label(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator:
        raise click.BadParameter(f"expected KEY=VALUE, was {text!r}", param_hint="--label")
    return key, value


def _counts(subject: SubjectSummary) -> dict[str, object]:
    return {"versions": subject.version_count, "revision": subject.revision}


def _facts(found: RegisteredSchema) -> dict[str, object]:
    return {
        "subject": found.subject,
        "version": found.version,
        "schema_id": found.schema_id,
        "fingerprint": found.fingerprint,
        "state": found.state.value,
        "action": found.action.value,
        "registered_at": instant(found.registered_at_ns),
        "effective_from": instant(found.effective_from_ns),
        "revision": found.revision,
        "registered_by": found.actor.principal,
        "labels": dict(found.labels),
        "deprecation_note": found.deprecation_note,
    }
