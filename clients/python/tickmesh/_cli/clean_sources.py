"""What `tickmesh clean` is given: files, directories and patterns, seen from here."""

from __future__ import annotations

from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path

import click

from tickmesh.cleaning_sources import File, Files, Followed, JobSource


@dataclass(frozen=True, slots=True)
class LocalSource:
    """One argument.

    Attributes:
        given: As it was given.
        source: What the cleaner is asked to read in place.
        files: The files to send when it may not; empty when it is followed.
    """

    given: str
    source: JobSource
    files: tuple[Path, ...]


def followed(given: str, *, start_at: str) -> LocalSource:
    """A file that is to be followed: only the cleaner itself can do that."""
    # A link stays a link: it may be switched to another file, and that is a rotation.
    source = Followed(Path.cwd() / given, start_at="end" if start_at == "end" else "beginning")
    return LocalSource(given, source, ())


def local_source(given: str) -> LocalSource:
    """A file, the files of a directory, or those that a pattern matches.

    Raises:
        click.BadParameter: There is nothing of that name.
    """
    path = Path(given)
    if path.is_file():
        return LocalSource(given, File(path.resolve()), (path,))
    if path.is_dir():
        return LocalSource(given, Files(path.resolve()), _files(path / "*", given))
    if has_magic(given):
        return LocalSource(given, Files(Path.cwd() / given), _files(path, given))
    raise _nothing_there(given)


def _files(pattern: Path, given: str) -> tuple[Path, ...]:
    """The files a pattern matches, hidden ones left out."""
    # The module's own function, since Path.glob takes no pattern with an anchor.
    found = map(Path, glob(str(pattern), recursive=True))  # noqa: PTH207
    files = tuple(sorted(path for path in found if path.is_file()))
    if not files:
        raise _nothing_there(given)
    return files


def _nothing_there(given: str) -> click.BadParameter:
    return click.BadParameter(
        f"there is no file {given!r}, nor one in it or that it matches: name a file that is "
        "there, a directory with files, or a pattern in quotes such as '*.csv'"
    )
