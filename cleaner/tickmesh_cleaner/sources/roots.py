"""Which files jobs may read: those below the configured source roots, by their real paths."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tickmesh_cleaner.domain.errors import SourceNotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence


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
        try:
            real = Path(path).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            raise SourceNotFoundError(Path(path).name) from None
        if not real.is_file() or not any(real.is_relative_to(root) for root in self._roots):
            raise SourceNotFoundError(Path(path).name)
        return real
