"""The reference page of the command line, generated from the parser.

`python -m tickmesh._cli.reference` prints docs/command-line.md.
"""

from __future__ import annotations

import inspect
import re
from enum import Enum
from typing import TYPE_CHECKING

import click

from tickmesh._cli import root

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = """\
# The command line

Generated from the parser by `python -m tickmesh._cli.reference`.

`tickmesh NOUN VERB`, and `--help` after any of them. Tables are for people and may change;
`--output json` is stable: lists print one array, single things one object, and what is followed or
read row by row one object a line. Results go to standard output, progress and errors to standard
error.

A command finds the mesh by the `[client]` settings of [configuration.md](configuration.md); with
none, where `tickmesh up` serves. Every command ends with one of these exit codes:

| code | meaning |
| --- | --- |
| 0 | done |
| 1 | failure; standard error says why, and as JSON with `--output json` |
| 2 | wrong usage |
| 3 | findings: rows were quarantined, a schema may not follow, a balance does not hold |
| 4 | undecided: two schemas could neither be proven compatible nor shown to break |
| 69 | a service is unavailable |
| 78 | a setting is wrong |
| 130 | interrupted |
"""


def page() -> str:
    """The whole page, as Markdown."""
    context = click.Context(root, info_name="tickmesh")
    parts = [_HEAD]
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        assert command is not None, name
        parts.extend(_sections(command, f"tickmesh {name}", level=2))
    return "\n".join(parts)


def _sections(command: click.Command, path: str, *, level: int) -> Iterator[str]:
    """The section of a command and those of the commands below it."""
    yield f"{'#' * level} {path}\n"
    yield f"{_text(command)}\n"
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=path)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None, name
            yield from _sections(below, f"{path} {name}", level=level + 1)
        return
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    usage = " ".join([path, "[OPTIONS]", *map(_argument, arguments)])
    yield f"```\n{usage}\n```\n"
    options = [each for each in command.params if isinstance(each, click.Option)]
    if options:
        lines = ["| option | meaning |", "| --- | --- |"]
        lines += [f"| `{_cell(_option(each))}` | {_cell(_meaning(each))} |" for each in options]
        yield "\n".join(lines) + "\n"


def _argument(argument: click.Argument) -> str:
    name = (argument.metavar or argument.name or "").upper()
    name = name if argument.nargs == 1 else f"{name}..."
    return name if argument.required else f"[{name}]"


def _option(option: click.Option) -> str:
    name = ", ".join(option.opts)
    if option.is_flag:
        return name
    if option.metavar:
        return f"{name} {option.metavar}"
    if isinstance(option.type, click.Choice):
        return f"{name} {'|'.join(map(_value, option.type.choices))}"
    return f"{name} {option.type.name.removesuffix(' range').upper()}"


def _meaning(option: click.Option) -> str:
    text = option.help or ""
    if option.required:
        return f"{text} Required."
    if option.show_default and not option.is_flag:
        return f"{text} Default: `{_value(option.default)}`."
    return text


def _value(value: object) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value)


def _text(command: click.Command) -> str:
    """The help text, one line a paragraph's line, as it stands in the source."""
    text = inspect.cleandoc(command.help or "")
    return re.sub(r"(?<!\n)\n(?!\n)", " ", text)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    click.echo(page(), nl=False)
