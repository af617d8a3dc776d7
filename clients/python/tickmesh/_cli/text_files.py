"""Text files that a command is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from pathlib import Path


def read_text(file: Path) -> str:
    """A file's text.

    Raises:
        InvalidArgumentError: it is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        message = f"expected UTF-8 text in {file.name}, byte {error.start} is none"
        raise InvalidArgumentError(message) from None
