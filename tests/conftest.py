"""What holds for every test: golden files, the PostgreSQL cluster of the run, no stopwatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hypothesis
import pytest

from tests.support.postgres_fixtures import postgres, registry_database

__all__ = ["postgres", "registry_database"]

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Speed is what benchmarks measure: on a busy machine an example may take as long as it does.
hypothesis.settings.register_profile("tickmesh", deadline=None)
hypothesis.settings.load_profile("tickmesh")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write golden files instead of comparing with them",
    )


@pytest.fixture
def assert_golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Asserts that a file holds exactly a text; with `--update-golden`, writes it there."""

    def check(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.write_text(text, encoding="utf-8")
        held = path.read_text(encoding="utf-8")
        assert held == text, f"{path.name} is out of date: run pytest with --update-golden"

    return check
