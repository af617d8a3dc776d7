"""The verbs of `tickmesh schema` that judge rows with the cleaner, and store nothing."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tickmesh._cli import FINDINGS
from tickmesh._cli.output import (
    Output,
    command_line,
    counted,
    output_option,
    print_json,
    print_rows,
)
from tickmesh._cli.text_files import read_text
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh.api.cleaner.v1 import cleaner_service_pb2

_EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_DAY_NS = 86_400_000_000_000
_DOCUMENTS_A_CALL = 1_000
_BYTES_A_CALL = 1 << 20


@click.command()
@click.argument("file", type=_EXISTING_FILE)
@click.option("--subject", required=True, help="The subject whose rows are judged.")
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    help="Only rows whose event time lies in the last so many days; all if absent.",
)
@click.option("--max-rows", type=click.IntRange(min=1), help="At most so many stored rows.")
@click.option(
    "--source",
    "spec",
    type=_EXISTING_FILE,
    help="A mended source spec for quarantined rows; each row's own if absent.",
)
@click.option(
    "--report",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write the evidence that `schema register --data-report` takes.",
)
@output_option
def backtest(
    *,
    file: Path,
    subject: str,
    days: float | None,
    max_rows: int | None,
    spec: Path | None,
    report: Path | None,
    output: Output,
) -> int:
    """Judge the rows that are there under the schema in FILE.

    Stored rows of SUBJECT and quarantined ones; nothing changes. Exit code 3 says that it would
    refuse rows that are stored.
    """
    from tickmesh.cleaning import CleanerClient

    with CleanerClient() as client:
        answer = client.backtest_schema(
            subject,
            text=read_text(file),
            start_ns=None if days is None else time.time_ns() - round(days * _DAY_NS),
            max_rows=max_rows,
            source_spec=read_text(spec) if spec else "",
        )
    if report is not None:
        report.write_text(answer.data_report + "\n", encoding="utf-8")
    if output is Output.JSON:
        print_json(_backtest_facts(answer))
    else:
        _print_backtest(answer, subject=subject, file=file, report=report)
    return FINDINGS if answer.newly_rejected else 0


@click.command()
@click.argument("file", type=_EXISTING_FILE)
@click.option("--subject", default="", help="The subject; not needed with --schema.")
@click.option("--version", type=int, help="The version; the one in force if absent.")
@click.option("--schema", "text", type=_EXISTING_FILE, help="A schema file instead of a version.")
@output_option
def validate(
    *, file: Path, subject: str, version: int | None, text: Path | None, output: Output
) -> int:
    """Judge JSON documents, one a line of FILE.

    As a job would judge them; nothing is stored. Exit code 3 says that some are no good rows.
    """
    from tickmesh.cleaning import CleanerClient

    documents = [line for line in read_text(file).splitlines() if line.strip()]
    if not documents:
        raise InvalidArgumentError(f"expected JSON documents, one a line, in {file.name}")
    schema = read_text(text) if text else ""
    facts: list[dict[str, object]] = []
    with CleanerClient() as client:
        for part in _parts(documents):
            answer = client.validate_rows(part, subject=subject, version=version, text=schema)
            before = len(facts)
            facts.extend(
                {
                    "document": before + number,
                    "valid": verdict.valid,
                    "reasons": [
                        f"{reason.code} {reason.instance_path}".strip()
                        for reason in verdict.reasons
                    ],
                    "messages": [reason.message for reason in verdict.reasons],
                }
                for number, verdict in enumerate(answer.verdicts, start=1)
            )
    bad = [fact for fact in facts if not fact["valid"]]
    if output is Output.JSON:
        print_json(facts)
    else:
        click.echo(f"{counted(len(facts), 'document')}, {len(bad):,} of them no good rows")
        if bad:
            print_rows(bad, columns=["document", "reasons", "messages"], output=output)
    return FINDINGS if bad else 0


@click.command()
@click.argument("subject", default="")
@click.option("--version", type=int, help="The version; the one in force if absent.")
@click.option("--schema", "text", type=_EXISTING_FILE, help="A schema file instead of a version.")
@click.option("--sample", type=_EXISTING_FILE, help="JSON documents to measure on, one a line.")
@output_option
def explain(
    *,
    subject: str,
    version: int | None,
    text: Path | None,
    sample: Path | None,
    output: Output,
) -> None:
    """Show what each keyword became, and what it costs.

    It is measured on the rows of --sample, else on stored rows of SUBJECT.
    """
    from tickmesh.cleaning import CleanerClient

    if not (subject or text):
        raise click.UsageError("name a SUBJECT, or a file with --schema")
    documents = read_text(sample).splitlines() if sample else []
    with CleanerClient() as client:
        answer = client.explain_schema(
            subject,
            version=version,
            text=read_text(text) if text else "",
            sample=[line for line in documents if line.strip()],
        )
    rows: list[dict[str, object]] = [
        {
            "field": keyword.instance_path or "/",
            "keyword": keyword.keyword,
            "decided": _decision(keyword),
            "ns_per_row": f"{keyword.nanoseconds_per_row:.2f}" if answer.sample_rows else None,
            "description": keyword.description,
            "proof": keyword.proof,
            "schema_path": keyword.schema_path,
        }
        for keyword in answer.keywords
    ]
    columns = ["field", "keyword", "decided", "ns_per_row", "description"]
    print_rows(rows, columns=columns, output=output, empty="the schema has no keywords")
    if output is Output.TABLE and answer.sample_rows:
        click.echo(f"measured on {counted(answer.sample_rows, 'row')}")


def _parts(documents: Sequence[str]) -> list[list[str]]:
    """The documents in parts that a call takes; one that is too long alone is left to the call."""
    parts: list[list[str]] = [[]]
    size = 0
    for document in documents:
        length = len(document.encode())
        if parts[-1] and (len(parts[-1]) >= _DOCUMENTS_A_CALL or size + length > _BYTES_A_CALL):
            parts.append([])
            size = 0
        parts[-1].append(document)
        size += length
    return parts


def _decision(keyword: cleaner_service_pb2.ExplainedKeyword) -> str:
    from tickmesh.api.cleaner.v1 import cleaner_service_pb2

    name = cleaner_service_pb2.KeywordDecision.Name(keyword.decision)
    return name.removeprefix("KEYWORD_DECISION_").lower().replace("_", " ")


def _backtest_facts(answer: cleaner_service_pb2.BacktestSchemaResponse) -> dict[str, object]:
    def reasons(found: Sequence[cleaner_service_pb2.BacktestReason]) -> list[dict[str, object]]:
        return [
            {
                "code": reason.code,
                "field": reason.instance_path,
                "rows": reason.rows,
                "examples": list(reason.examples),
            }
            for reason in found
        ]

    return {
        "stored_rows": answer.stored_rows,
        "newly_rejected": answer.newly_rejected,
        "rejected_reasons": reasons(answer.rejected_reasons),
        "quarantined_rows": answer.quarantined_rows,
        "newly_released": answer.newly_released,
        "released_reasons": reasons(answer.released_reasons),
        "truncated": answer.truncated,
    }


def _print_backtest(
    answer: cleaner_service_pb2.BacktestSchemaResponse,
    *,
    subject: str,
    file: Path,
    report: Path | None,
) -> None:
    click.echo(
        f"would newly reject {answer.newly_rejected:,} of {answer.stored_rows:,} stored rows, "
        f"would release {answer.newly_released:,} of {answer.quarantined_rows:,} quarantined rows"
    )
    if answer.truncated:
        click.echo("rows were left out; judge more of them with --max-rows")
    for title, found in (
        ("rejected for", answer.rejected_reasons),
        ("released, held back for", answer.released_reasons),
    ):
        if found:
            click.echo(title)
            rows: list[dict[str, object]] = [
                {
                    "code": reason.code,
                    "field": reason.instance_path or "-",
                    "rows": reason.rows,
                    "example": reason.examples[0] if reason.examples else None,
                }
                for reason in found
            ]
            columns = ["code", "field", "rows", "example"]
            print_rows(rows, columns=columns, output=Output.TABLE)
    if report is not None:
        words = ("schema", "register", subject, file, "--data-report", report)
        click.echo(f"next: {command_line(*words)}")
