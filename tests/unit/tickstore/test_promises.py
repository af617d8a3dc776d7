"""Every promise of the tick store is quoted by the tests that show it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
ROOM = TESTS.parent / "tickstore" / "README.md"
PROMISES = [f"T{number}" for number in range(1, 12)]


def quoted() -> set[str]:
    """The promises in the names of tests: `test_t2_t4_…` quotes T2 and T4."""
    found: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        for quotes in re.findall(r"def test_((?:t\d+_)+)", path.read_text(encoding="utf-8")):
            found.update(quote.upper() for quote in quotes.strip("_").split("_"))
    return found


@pytest.mark.parametrize("promise", PROMISES)
def test_a_promise_has_tests_of_its_name_and_a_line_in_the_room(promise: str) -> None:
    assert promise in quoted(), f"no test is called test_{promise.lower()}_…"
    assert f"| {promise} " in ROOM.read_text(encoding="utf-8")


def test_nothing_is_quoted_that_is_not_promised() -> None:
    assert quoted() <= set(PROMISES)
