"""What commands print: tables for people, JSON for programs. JSON is API, tables are not."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from dataclasses import dataclass
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
_NARROWEST_LAST_CELL = 20
_NOTHING = "-"


class Output(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Moment:
    """An instant; in full wherever it may be copied from, to the second in columns."""

    instant_ns: int

    def __str__(self) -> str:
        """RFC 3339 in UTC, with as many decimals as it needs."""
        seconds, nanoseconds = divmod(self.instant_ns, _NANOSECONDS)
        fraction = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
        return f"{_seconds_text(seconds)}{fraction}Z"

    @property
    def brief(self) -> str:
        """Without its fraction."""
        return f"{_seconds_text(self.instant_ns // _NANOSECONDS)}Z"


def instant(instant_ns: int | None) -> Moment | None:
    """The instant to print; None where there is none."""
    return Moment(instant_ns) if instant_ns else None


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
    rows: Iterable[Mapping[str, object]],
    *,
    columns: Sequence[str],
    output: Output,
    empty: str = "nothing found",
) -> None:
    """Print rows as a table of `columns`, or all of them, whole, as one JSON array.

    Args:
        rows: By column; a table shows `-` for what is missing.
        columns: Those of the table, in order.
        output: Which of the two.
        empty: What a table says when there are no rows, and what to do about it.
    """
    if output is Output.JSON:
        print_json(list(rows))
        return
    found = list(rows)
    if not found:
        click.echo(empty)
        return
    titles = [column.replace("_", " ").upper() for column in columns]
    to_the_right = [_is_count([row.get(column) for row in found]) for column in columns]
    cells = [[_cell(row.get(column)) for column in columns] for row in found]
    print_aligned([titles, *cells], to_the_right=to_the_right)


def print_aligned(lines: Sequence[Sequence[str]], *, to_the_right: Sequence[bool]) -> None:
    """Print lines of cells in columns; the last cell is cut where a terminal ends."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    if sys.stdout.isatty():
        before = sum(widths[:-1]) + 2 * len(widths[:-1])
        room = shutil.get_terminal_size().columns - before
        widths[-1] = min(widths[-1], max(_NARROWEST_LAST_CELL, room))
    for line in lines:
        padded = (
            cell.rjust(width) if right else _shortened(cell, width).ljust(width)
            for cell, width, right in zip(line, widths, to_the_right, strict=True)
        )
        click.echo("  ".join(padded).rstrip())


def print_facts(facts: Mapping[str, object], *, output: Output) -> None:
    """Print one thing: a name and a value a line, or one JSON object."""
    if output is Output.JSON:
        print_json(dict(facts))
        return
    shown = {name: value for name, value in facts.items() if value not in (None, "", {}, [])}
    width = max(map(len, shown), default=0)
    for name, value in shown.items():
        click.echo(f"{name.replace('_', ' ').ljust(width)}  {_text(value)}")


def counted(number: int, noun: str) -> str:
    """A number and its noun: `1 row`, `2 rows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def command_line(*words: object) -> str:
    """A command to copy, quoted where the shell needs it."""
    return shlex.join(["tickmesh", *map(str, words)])


def _seconds_text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _is_count(values: Sequence[object]) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={_text(part)}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _cell(value: object) -> str:
    if isinstance(value, Moment):
        return value.brief
    if value is None:
        return _NOTHING
    text = _text(value).replace("\n", " ") or _NOTHING
    return _shortened(text, _WIDEST_CELL)


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
