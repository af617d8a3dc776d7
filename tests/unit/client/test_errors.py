"""An error names the next command, and only one that it can name whole."""

from __future__ import annotations

import click
import pytest

from tickmesh._cli import root
from tickmesh.errors import (
    _NEXT_COMMANDS,
    FailedPreconditionError,
    NotFoundError,
    OutOfRangeError,
)


def test_the_command_is_about_what_the_error_is_about() -> None:
    error = FailedPreconditionError("…", reason="ROLE_MISSING", metadata={"dataset": "ticks.a b"})
    assert error.next_command == "tickmesh schema get 'ticks.a b'"
    assert str(error).endswith("\n  try: tickmesh schema get 'ticks.a b'")
    assert NotFoundError("…", reason="DATASET_NOT_FOUND").next_command == "tickmesh ticks list"


def test_a_command_with_a_gap_is_not_named() -> None:
    assert FailedPreconditionError("…", reason="ROLE_MISSING").next_command is None
    assert OutOfRangeError("…", reason="NO_SUCH_REASON").next_command is None


@pytest.mark.parametrize("line", sorted(set(_NEXT_COMMANDS.values())))
def test_every_command_named_exists(line: str) -> None:
    found: click.Command = root
    for word in line.split()[1:]:
        if not isinstance(found, click.Group):
            assert word.startswith("{"), line
            continue
        below = found.get_command(click.Context(found), word)
        assert below is not None, line
        found = below
    assert not isinstance(found, click.Group)
