"""Quarantined rows with their records, while retention may remove some of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from tickmesh_cleaner.domain.quarantine import QuarantinedRow, QuarantineEntry
    from tickmesh_cleaner.quarantine_files import QuarantineFiles
    from tickmesh_cleaner.store.quarantine_index import QuarantineIndex

_Records = TypeVar("_Records")


class QuarantineReader:
    """Reads the records of entries. What is removed, or moved, in between is noticed."""

    def __init__(self, index: QuarantineIndex, files: QuarantineFiles) -> None:
        self._index = index
        self._files = files

    def rows(self, entries: Sequence[QuarantineEntry]) -> list[QuarantinedRow]:
        """The rows of these entries that are still there, in their order."""
        return self._read(entries, self._files.read)[1]

    def table(self, entries: Sequence[QuarantineEntry]) -> tuple[list[QuarantineEntry], pa.Table]:
        """The entries that are still there, and their records as columns, in their order."""
        return self._read(entries, self._files.table)

    def _read(
        self,
        entries: Sequence[QuarantineEntry],
        read: Callable[[Sequence[QuarantineEntry]], _Records],
    ) -> tuple[list[QuarantineEntry], _Records]:
        wanted = list(entries)
        while True:
            try:
                return wanted, read(wanted)
            except FileNotFoundError:
                now = {entry.id: entry for entry in self._index.by_ids([e.id for e in wanted])}
                current = [now[entry.id] for entry in wanted if entry.id in now]
                if current == wanted:
                    raise  # a file that ought to be there is lost
                wanted = current
