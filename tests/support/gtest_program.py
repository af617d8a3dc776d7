"""Programs of GoogleTest as pytest sees them: one case, one test, one process."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.mesh import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

CLIENT = ROOT / "clients" / "cpp"
BUILDS = CLIENT / "build"

NOT_BUILT = "(not built)"
"""Stands for the cases of a program that is not there: a test of that name fails and says why."""


@dataclass(frozen=True)
class GtestProgram:
    """One test program of the C++ client.

    Attributes:
        preset: How it was built: `asan` or `tsan`.
        name: Such as `tickmesh_integration_tests`.
    """

    preset: str
    name: str

    @property
    def path(self) -> Path:
        """Where the build leaves it."""
        return BUILDS / self.preset / "tests" / self.name

    def cases(self) -> Sequence[str]:
        """Every case as `Suite.Case`; `NOT_BUILT` alone when the program is not there."""
        if not self.path.exists():
            return [NOT_BUILT]
        listed = subprocess.run(
            [self.path, "--gtest_list_tests"],
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )
        found, suite = [], ""
        for line in listed.stdout.splitlines():
            name = line.partition("#")[0].rstrip()
            if line.startswith("  "):
                found.append(suite + name.strip())
            elif name.endswith("."):
                suite = name
        return found

    def run(
        self, case: str, environment: Mapping[str, str], *, timeout_seconds: float = 120.0
    ) -> None:
        """Run one case.

        Args:
            case: A name, or a pattern as of `--gtest_filter`.
            environment: Variables beyond this process's own.
            timeout_seconds: A case that takes longer is ended and fails.

        Raises:
            AssertionError: It failed, was skipped, or there is no such case; with what it printed.
        """
        assert self.path.exists(), f"{self.path} is not built: `make {self._made_by}` builds it"
        done = subprocess.run(
            [self.path, f"--gtest_filter={case}", "--gtest_color=no"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env={**os.environ, **environment},
            timeout=timeout_seconds,
            check=False,
        )
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}"
        assert "[  PASSED  ] 0 tests" not in done.stdout, f"no case ran\n{done.stdout}"
        assert "[  SKIPPED ]" not in done.stdout, done.stdout

    @property
    def _made_by(self) -> str:
        return "test-long" if self.preset == "tsan" else "test"
