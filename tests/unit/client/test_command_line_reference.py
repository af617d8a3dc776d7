"""docs/command-line.md is what the parser says, and every command says what it does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest
from click.testing import CliRunner

from tickmesh._cli import root
from tickmesh._cli.reference import page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = Path(__file__).resolve().parents[3] / "docs" / "command-line.md"


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(("tickmesh", *path)), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))


EVERY_COMMAND = dict(commands(root))


def test_the_page_is_up_to_date(assert_golden: Callable[[Path, str], None]) -> None:
    assert_golden(PAGE, page())


def test_the_page_has_every_command() -> None:
    text = page()
    assert [
        path for path in EVERY_COMMAND if path != "tickmesh" and f"# {path}\n" not in text
    ] == []


@pytest.mark.parametrize("path", EVERY_COMMAND)
def test_every_command_and_every_option_says_what_it_does(path: str) -> None:
    command = EVERY_COMMAND[path]
    assert command.help
    silent = [
        parameter.name
        for parameter in command.params
        if isinstance(parameter, click.Option) and not parameter.help
    ]
    assert silent == []


@pytest.mark.parametrize(
    "path", [path for path, command in EVERY_COMMAND.items() if isinstance(command, click.Group)]
)
def test_the_list_of_commands_fits_a_terminal_of_eighty_columns(path: str) -> None:
    _, *words = path.split()
    shown = CliRunner().invoke(root, [*words, "--help"], terminal_width=80).output
    assert "..." not in shown.replace("[ARGS]...", "")
    assert all(len(line) <= 80 for line in shown.splitlines())
