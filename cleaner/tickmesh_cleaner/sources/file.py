"""A file as a source: one below the source roots, or one that was uploaded."""

from __future__ import annotations

import hashlib
from contextlib import closing
from typing import TYPE_CHECKING

from tickmesh.decoding.compression import chunks
from tickmesh.decoding.decoded import DecodeError, Position
from tickmesh.decoding.opening import open_decoder
from tickmesh.decoding.source_spec import Format, SourceSpec
from tickmesh_cleaner.domain.errors import (
    CleanerError,
    SourceChangedError,
    SourceDamagedError,
    SourceNotFoundError,
    SourceUnreadableError,
)
from tickmesh_cleaner.domain.identity import BATCH_RECORDS, MOST_RECORDS
from tickmesh_cleaner.domain.job_source import SourceIdentity
from tickmesh_cleaner.sources.source import ReadProgress, SourceBatch

if TYPE_CHECKING:
    from collections.abc import Generator
    from io import BufferedReader
    from pathlib import Path

_PACKED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
"""What gzip and zstd files begin with."""


_TYPED = frozenset({Format.PARQUET, Format.ARROW})


class FileRecords:
    """The records of one file. Positions are the decoder's."""

    replayable = True

    def __init__(
        self,
        path: Path,
        *,
        spec: SourceSpec,
        name: str,
        file_name: str,
        identity: SourceIdentity | None = None,
    ) -> None:
        """Name the file; it is opened by `read`.

        Args:
            path: Its real path.
            spec: How its records are cut and mapped.
            name: What reports call it.
            file_name: The file name constants are taken from.
            identity: What it held when its job began; checked with every batch.
        """
        self.name = name
        self._identity = identity
        self._path = path
        self._spec = spec
        self.file_name = file_name
        self._bytes_total = self._unpacked_bytes()
        self._verified_signature = ""

    def identify(self) -> SourceIdentity:
        """Digest of the unpacked content and signature of the file; reads all of it.

        A packed file and its unpacked copy are one source. A packed file that is cut off is refused
        here, before a row of it is forwarded: the whole file, fetched later, is another source, and
        would bring the same rows again.

        Raises:
            SourceDamagedError: The packing is cut off or corrupt.
        """
        digest = hashlib.sha256()
        unpacked_bytes = 0
        try:
            with self._reading() as file:
                for chunk in chunks(file, self._spec.compression):
                    digest.update(chunk)
                    unpacked_bytes += len(chunk)
        except DecodeError as error:
            raise SourceDamagedError(
                self.name, cause=f"{error.code}: {error.message}", offset=error.offset
            ) from error
        self._bytes_total = unpacked_bytes
        return SourceIdentity(
            digest=digest.hexdigest(),
            signature=self._signature(),
            size_bytes=self._path.stat().st_size,
        )

    def verify(self, identity: SourceIdentity) -> None:
        """Raise SourceChangedError unless the file is what it was.

        The digest is computed again only when the file's times, size or inode differ.
        """
        signature = self._signature()
        if signature in {identity.signature, self._verified_signature}:
            return
        try:
            digest = self.identify().digest
        except SourceDamagedError as error:
            raise SourceChangedError(self.name) from error
        if digest != identity.digest:
            raise SourceChangedError(self.name)
        self._verified_signature = signature

    def column_names(self) -> tuple[str, ...]:
        """The names the header of a CSV file gives; empty for all other files."""
        if self._spec.format is not Format.CSV or self._spec.csv.names:
            return ()
        with closing(self.read(start=None, end=None, batch_records=1)) as batches:
            for batch in batches:
                return tuple(batch.decoded.columns.schema.names)
        return ()

    def read(
        self, *, start: str | None, end: str | None, batch_records: int = MOST_RECORDS
    ) -> Generator[SourceBatch, None, None]:
        """Records of the file; see `Source.read`. Text is cut to `BATCH_RECORDS` at most."""
        if self._spec.format not in _TYPED:
            batch_records = min(batch_records, BATCH_RECORDS)
        batches = open_decoder(
            self._path,
            self._spec,
            start=None if start is None else Position.parse(start),
            end=None if end is None else Position.parse(end),
            batch_records=batch_records,
        )
        try:
            for decoded in batches:
                if self._identity is not None:
                    self.verify(self._identity)
                yield SourceBatch(
                    start=decoded.start.token(),
                    end=decoded.end.token(),
                    decoded=decoded,
                    spec=self._spec,
                    file_name=self.file_name,
                )
        except DecodeError as error:
            raise self._failure(error) from error
        except OSError as error:
            raise SourceNotFoundError(self.name) from error

    def progress(self, position: str) -> ReadProgress:
        """Bytes of unpacked text read; both 0 for formats whose positions are no bytes."""
        if self._spec.format in _TYPED:
            return ReadProgress(0, 0)
        return ReadProgress(Position.parse(position).offset, self._bytes_total)

    def _failure(self, error: DecodeError) -> CleanerError:
        if error.code == "SOURCE_CHANGED":
            return SourceChangedError(self.name)
        return SourceUnreadableError(
            self.name, cause=f"{error.code}: {error.message}", offset=error.offset
        )

    def _reading(self) -> BufferedReader:
        try:
            return self._path.open("rb")
        except OSError as error:
            raise SourceNotFoundError(self.name) from error

    def _signature(self) -> str:
        try:
            found = self._path.stat()
        except OSError as error:
            raise SourceNotFoundError(self.name) from error
        return f"{found.st_dev}:{found.st_ino}:{found.st_size}:{found.st_mtime_ns}"

    def _unpacked_bytes(self) -> int:
        with self._reading() as file:
            packed = file.read(4).startswith(_PACKED)
        return 0 if packed else self._path.stat().st_size
