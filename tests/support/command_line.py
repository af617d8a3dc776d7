"""The command line as a user has it: a process, its output and its exit code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import TextIO

_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE \w+ SET|sqlalchemy)\b")
_SECONDS = 200


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """All it said."""
        return self.out + self.err


@dataclass(frozen=True)
class CommandLine:
    """`tickmesh`, run in a directory against one mesh."""

    environment: Mapping[str, str]
    directory: Path

    def start(
        self, *arguments: str | Path, stdout: int | TextIO = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "tickmesh", *map(str, arguments)],
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "PYTHONUNBUFFERED": "",  # as good as not set
                **self.environment,
            },
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, stdout: int | TextIO = subprocess.PIPE) -> Outcome:
        """Run a command to its end; whatever it says must be fit for a user.

        Args:
            arguments: Its words.
            stdout: Where its output goes; it is kept in the outcome unless this is a file.
        """
        with self.start(*arguments, stdout=stdout) as process:
            try:
                out, err = process.communicate(timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        out = out or ""
        assert_fit_for_users(out + err, home=self.environment.get("TICKMESH_HOME"))
        return Outcome(process.returncode, out, err)


def assert_fit_for_users(text: str, *, home: str | None = None) -> None:
    """Assert that a text has no traceback, no SQL and no path of the server's home."""
    assert "Traceback" not in text, text
    assert not _SQL.search(text), text
    assert home is None or home not in text, text
