"""What commands print: tables for people, JSON for programs. JSON is API, tables are not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

_P = ParamSpec("_P")
_R = TypeVar("_R")

_NANOSECONDS = 1_000_000_000
_WIDEST_CELL = 60


class Output(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


def output_option(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """Add `--output table|json` to a command."""
    return click.option(
        "--output",
        type=click.Choice(Output, case_sensitive=False),
        default=Output.TABLE,
        show_default="table",
        help="A table for people, or JSON for programs.",
    )(command)


def print_json(value: object) -> None:
    """Print one JSON document on one line."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def print_rows(
    rows: Iterable[Mapping[str, object]], *, columns: Sequence[str], output: Output
) -> None:
    """Print rows as a table of `columns`, or all of them as one JSON array."""
    if output is Output.JSON:
        print_json(list(rows))
        return
    cells = [[_cell(row.get(column)) for column in columns] for row in rows]
    if not cells:
        click.echo("nothing found")
        return
    titles = [column.replace("_", " ").upper() for column in columns]
    widths = [max(map(len, column)) for column in zip(titles, *cells, strict=True)]
    for line in (titles, *cells):
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def print_facts(facts: Mapping[str, object], *, output: Output) -> None:
    """Print one thing: a name and a value a line, or one JSON object."""
    if output is Output.JSON:
        print_json(dict(facts))
        return
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        if value not in (None, "", {}, []):
            click.echo(f"{name.replace('_', ' ').ljust(width)}  {_text(value)}")


def instant(instant_ns: int | None) -> str | None:
    """An instant as RFC 3339 in UTC, with as many digits as it needs."""
    if not instant_ns:
        return None
    seconds, nanoseconds = divmod(instant_ns, _NANOSECONDS)
    text = datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
    return f"{text}{fraction}Z"


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={part}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    text = _text(value).replace("\n", " ")
    return text if len(text) <= _WIDEST_CELL else text[: _WIDEST_CELL - 1] + "…"
