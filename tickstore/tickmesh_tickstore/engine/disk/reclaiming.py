"""Removing files whose rows live elsewhere, once nobody reads them any more."""

from __future__ import annotations

import logging
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tickmesh_tickstore.engine.disk.filesystem import FileSystem
    from tickmesh_tickstore.engine.disk.segment import SegmentCache, SegmentPart

__all__ = ["Reclaimer"]

_log = logging.getLogger(__name__)


class Reclaimer:
    """Removes a replaced segment's file with the last state that still shows the segment.

    Every read holds its snapshot's state, so no file goes under a reader that has yet to open it.
    Removals need no sync: what a crash leaves over belongs to no commit and goes at the next start.
    """

    def __init__(self, *, files: FileSystem, cache: SegmentCache) -> None:
        self._files = files
        self._cache = cache

    def retire(self, parts: Iterable[SegmentPart]) -> None:
        """Remove the parts' files once the last reader has let go of them."""
        for part in parts:
            finalizer = weakref.finalize(part, self._removal(part))
            finalizer.atexit = False

    def _removal(self, part: SegmentPart) -> Callable[[], None]:
        path, files, cache = part.path, self._files, self._cache

        def remove() -> None:
            cache.forget(path)
            try:
                files.remove(path)
            except OSError:
                _log.warning("a replaced segment stays on disk until the next start")

        return remove
