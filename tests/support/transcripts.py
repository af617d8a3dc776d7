"""Console transcripts in the docs, as commands to run and lines to expect."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page."""

    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """One command of a transcript and the lines shown below it."""

    command: str
    shown: tuple[str, ...]


def steps(page: Path) -> list[Step]:
    """Read every command of a page's console blocks, in order."""
    return [
        step for block in blocks(page) if block.language == "console" for step in steps_of(block)
    ]


def blocks(page: Path) -> list[Block]:
    """Read every fenced block of a page, in order."""
    return [Block(*found) for found in _BLOCK.findall(page.read_text(encoding="utf-8"))]


def steps_of(block: Block) -> list[Step]:
    """Read the commands of one console block; each begins a line with `$ `."""
    found: list[Step] = []
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, *shown = part.rstrip("\n").split("\n")
        found.append(Step(command, tuple(shown)))
    return found


def missing_line(shown: tuple[str, ...], printed: str) -> str | None:
    """The first shown line that does not follow, in order, in what was printed; `…` is anything."""
    lines = iter(printed.splitlines())
    for expected in shown:
        pattern = re.compile(".*".join(re.escape(part) for part in expected.split("…")))
        if not any(pattern.fullmatch(line) for line in lines):
            return expected
    return None
