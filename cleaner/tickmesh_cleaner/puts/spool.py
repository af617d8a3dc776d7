"""The spool of puts: each batch as one Arrow file, synchronised before anything else happens to it.

A batch stays until it is committed. What no intent names was never acknowledged: its sender sends
it again, so it is dropped when the producer begins anew.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pyarrow as pa

from tickmesh_cleaner.durable_files import publishing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class PutSpool:
    """The batches of one producer that are not committed yet."""

    def __init__(self, directory: Path) -> None:
        """Name the directory; it is made with the first batch."""
        self._directory = directory

    def write(self, sequence: int, batch: pa.RecordBatch) -> None:
        """Keep a batch; it is durable when this returns. One kept before is replaced."""
        with (
            publishing(self._path(sequence)) as file,
            pa.ipc.new_file(file, batch.schema) as writer,
        ):
            writer.write_batch(batch)

    def read(self, sequence: int) -> pa.RecordBatch | None:
        """A batch; None when it is not here."""
        try:
            with self._path(sequence).open("rb") as file:
                return pa.ipc.open_file(file).get_batch(0)
        except FileNotFoundError:
            return None

    def keep_between(self, first: int, end: int | None = None) -> None:
        """Drop the batches before the first sequence, and those from the end on."""
        for sequence in self._sequences():
            if sequence < first or (end is not None and sequence >= end):
                self._path(sequence).unlink(missing_ok=True)

    def size_bytes(self) -> int:
        """The bytes of all batches."""
        total = 0
        for sequence in self._sequences():
            with contextlib.suppress(FileNotFoundError):  # committed in between
                total += self._path(sequence).stat().st_size
        return total

    def _sequences(self) -> Iterator[int]:
        if self._directory.exists():
            for path in list(self._directory.glob("*.arrow")):
                yield int(path.stem)

    def _path(self, sequence: int) -> Path:
        return self._directory / f"{sequence:016d}.arrow"
