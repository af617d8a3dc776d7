"""Which files jobs may read: those below the configured source roots, by their real paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tickmesh_cleaner.domain.errors import (
    InvalidArgumentError,
    LimitExceededError,
    SourceNotFoundError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_FILES = 10_000
"""The most files of one job."""

_LOOKS = 5
_WILDCARDS = frozenset("*?[")
_ANY_DEPTH = "**"


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file that a pattern matches.

    Attributes:
        path: Its path as it was matched, absolute.
        name: The path below the root.
        size_bytes: Its size.
    """

    path: Path
    name: str
    size_bytes: int


class SourceRoots:
    """The directories jobs may read from."""

    def __init__(self, roots: Sequence[Path]) -> None:
        self._roots = tuple(root.resolve() for root in roots)

    def resolve(self, path: str) -> Path:
        """The real path of a regular file below a root.

        Links are followed first, so none leads out of a root.

        Raises:
            SourceNotFoundError: There is no such file, or not below a root: the two are not told
                apart, so that nobody can feel for files elsewhere.
        """
        real = self._real(path)
        if real is None or not real.is_file():
            raise SourceNotFoundError(_last_part(path))
        return real

    def resolve_awaited(self, path: str) -> Path | None:
        """The real path of a file below a root that may not exist yet: None while it does not.

        Raises:
            SourceNotFoundError: Its directory does not exist or lies outside the roots, or it is
                no regular file.
        """
        given = Path(path)
        if given.name and self._real(str(given.parent)) is not None:
            # Looked at several times: it may come and go between two looks at it.
            for _ in range(_LOOKS):
                real = self._real(path)
                if real is not None and real.is_file():
                    return real
                if not os.path.lexists(given):
                    return None
        raise SourceNotFoundError(_last_part(path))

    def match(self, pattern: str) -> list[FoundFile]:
        """The files of a directory, or those that a pattern matches, in the order of their paths.

        Hidden files are left out, as a shell does.

        Raises:
            SourceNotFoundError: Nothing matches below the roots, or a match is a link that leads
                out of them.
            InvalidArgumentError: The pattern cannot be read.
            LimitExceededError: Too many files match.
        """
        base, rest = self._divide(pattern)
        try:
            found = sorted(islice(self._matches(base, rest), MAX_FILES + 1))
        except ValueError as error:
            raise InvalidArgumentError("source.files.pattern", str(error)) from None
        except OSError:
            raise SourceNotFoundError(_last_part(pattern)) from None
        if len(found) > MAX_FILES:
            raise LimitExceededError("files of one job", limit=MAX_FILES)
        if not found:
            raise SourceNotFoundError(_last_part(pattern))
        root = next(root for root in self._roots if base.is_relative_to(root))
        return [
            FoundFile(path, str(path.relative_to(root)), self.resolve(str(path)).stat().st_size)
            for path in found
        ]

    def _divide(self, pattern: str) -> tuple[Path, str]:
        """The directory below a root that a pattern begins with, and what is matched in it."""
        given = Path(pattern)
        plain = []
        for part in given.parts:
            if _WILDCARDS.intersection(part):
                break
            plain.append(part)
        rest = given.parts[len(plain) :]
        if ".." in rest or rest.count(_ANY_DEPTH) > 1:
            raise InvalidArgumentError(
                "source.files.pattern", f"expected no `..` and at most one `**` in {pattern!r}"
            )
        base = self._real(str(Path(*plain)))
        if base is None:
            raise SourceNotFoundError(_last_part(pattern))
        if not rest and base.is_file():
            return base.parent, _escaped(base.name)
        if not rest or rest[-1] == _ANY_DEPTH:
            rest = (*rest, "*")
        return base, str(Path(*rest))

    def _matches(self, base: Path, rest: str) -> Iterator[Path]:
        for path in base.glob(rest):
            hidden = any(part.startswith(".") for part in path.relative_to(base).parts)
            # A link that leads nowhere is a match, and refused later: it may be meant.
            if not hidden and (path.is_file() or (path.is_symlink() and not path.is_dir())):
                yield path

    def _real(self, path: str) -> Path | None:
        """The real path of something that exists below a root; None for anything else."""
        if not Path(path).is_absolute():
            return None
        try:
            real = Path(path).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            return None
        return real if any(real.is_relative_to(root) for root in self._roots) else None


def _last_part(path: str) -> str:
    """The last part of a path, for reports."""
    return Path(path).name[:255]


def _escaped(name: str) -> str:
    return "".join(f"[{mark}]" if mark in _WILDCARDS else mark for mark in name)
