"""The `tickmesh` command line: `tickmesh NOUN VERB`.

Nouns of the client live here; nouns of the servers plug in by the entry points
`tickmesh.commands` and are loaded only when called, so that the client needs none of them.
Exit codes: 0 done, 1 failure, 2 usage, 3 findings, 4 undecided, 69 unavailable,
78 bad configuration, 130 interrupted.
"""

from __future__ import annotations

import errno
import gc
import importlib
import itertools
import json
import os
import sys
import tempfile
import traceback
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, NoReturn

import click

from tickmesh.errors import TickmeshError

if TYPE_CHECKING:
    from collections.abc import Sequence

FAILURE = 1
FINDINGS = 3
UNDECIDED = 4
INTERRUPTED = 130

_NOUNS = {
    "schema": "tickmesh._cli.schema:schema",
    "clean": "tickmesh._cli.clean:clean",
    "job": "tickmesh._cli.job:job",
    "quarantine": "tickmesh._cli.quarantine:quarantine",
    "ticks": "tickmesh._cli.ticks:ticks",
    "config": "tickmesh._cli.config:config",
    "version": "tickmesh._cli.version:version",
}

_SERVER_NOUNS = {
    "up": "Run registry, cleaner and tick store together.",
    "demo": "Show the whole mesh at work on generated ticks.",
    "registry": "Run the schema registry.",
    "cleaner": "Run the cleaner.",
    "tickstore": "Run the tick store.",
}


class LazyNouns(click.Group):
    """A group whose commands are imported when they are called, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click calls it so
        return [*_NOUNS, *_SERVER_NOUNS]

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002 - click calls it so
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name in _NOUNS:
            module, _, name = _NOUNS[cmd_name].partition(":")
            found = getattr(importlib.import_module(module), name)
            return found if isinstance(found, click.Command) else None
        if cmd_name in _SERVER_NOUNS:
            return _server_command(cmd_name)
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in _NOUNS:
            command = self.get_command(ctx, name)
            if command is not None:
                rows.append((name, command.get_short_help_str(limit=80)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)
        with formatter.section("Servers"):
            formatter.write_dl(list(_SERVER_NOUNS.items()))


def _server_command(noun: str) -> click.Command:
    """The server's command, or one that says which extra is missing."""
    plugins = entry_points(group="tickmesh.commands", name=noun)
    # A server's modules make objects by the hundred thousand, all of which stay: looking for
    # garbage among them would be a seventh of the time that it takes to start.
    gc.disable()
    try:
        for plugin in plugins:
            found = plugin.load()
            if isinstance(found, click.Command):
                return found
    except ModuleNotFoundError as missing:
        name = missing.name
    else:
        name = None
    finally:
        gc.enable()

    @click.command(
        noun, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}
    )
    def unavailable() -> NoReturn:
        what = f" ({name} is missing)" if name else ""
        message = (
            f"`tickmesh {noun}` needs the server parts{what}; "
            "install them with: pip install 'tickmesh[server]'"
        )
        raise click.ClickException(message)

    return unavailable


@click.command(
    cls=LazyNouns,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Begin with `tickmesh up`, then `tickmesh schema list` from another terminal.",
)
def root() -> None:
    """Schema-governed market data: registry, cleaner, tick store."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with its code."""
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. No traceback reaches the user."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = root.main(args=given, prog_name="tickmesh", standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.Abort:
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except click.ClickException as wrong:
        wrong.show()
        return wrong.exit_code
    except TickmeshError as error:
        _show(error, as_json="--output=json" in given or _follows(given, "--output", "json"))
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()  # the reader has gone; nothing more to say to it
        return 0
    except OSError as error:
        click.echo(f"error: {_in_words(error)}", err=True)
        _give_up_what_cannot_be_written()
        return FAILURE
    except Exception as defect:  # noqa: BLE001 - the last net before the user
        _report(defect)
        return FAILURE
    return code if isinstance(code, int) else 0


def _report(defect: Exception) -> None:
    """Say in one line that this is our fault and what to send; the trace goes to a file."""
    summary = " ".join(f"{type(defect).__name__}: {defect}".split())
    line = f"error: this is a defect of tickmesh ({summary}); please report it"
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="tickmesh-defect-", suffix=".txt", delete=False, encoding="utf-8"
        ) as file:
            file.write("".join(traceback.format_exception(defect)))
        line += f" with {file.name} and the output of `tickmesh version`"
    except OSError:
        line += " with the output of `tickmesh version`"
    click.echo(line, err=True)


def _give_up_what_cannot_be_written() -> None:
    """Keep the interpreter from flushing once more at its end, and failing in its own words."""
    try:
        sys.stdout.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _in_words(error: OSError) -> str:
    if error.filename:
        return f"{error.filename}: {error.strerror}"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:  # a file that was opened has no name here
        return (
            f"the output cannot be written: {error.strerror}; "
            "make room where it goes, and run this again"
        )
    return str(error)


def _follows(arguments: Sequence[str], option: str, value: str) -> bool:
    return (option, value) in itertools.pairwise(arguments)


def _show(error: TickmeshError, *, as_json: bool) -> None:
    if not as_json:
        click.echo(f"error: {error}", err=True)
        return
    body = {
        "message": error.message,
        "code": error.code,
        "reason": error.reason,
        "metadata": dict(error.metadata),
        "violations": [violation._asdict() for violation in error.violations],
        "request_id": error.request_id,
        "next_command": error.next_command,
    }
    click.echo(json.dumps({"error": body}), err=True)
