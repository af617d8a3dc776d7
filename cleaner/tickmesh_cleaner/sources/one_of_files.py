"""One of the several files of a job as a source: its progress is the job's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh_cleaner.sources.file import FileRecords
from tickmesh_cleaner.sources.source import ReadProgress

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh.decoding.source_spec import SourceSpec
    from tickmesh_cleaner.domain.job_file import JobFile
    from tickmesh_cleaner.domain.job_source import SourceIdentity


class OneOfFiles(FileRecords):
    """The records of one file among others. Positions are those within the file."""

    def __init__(
        self,
        path: Path,
        *,
        file: JobFile,
        bytes_before: int,
        bytes_total: int,
        spec: SourceSpec,
        identity: SourceIdentity | None,
    ) -> None:
        """Name the file; see `FileRecords`.

        Args:
            path: Its real path.
            file: What the job knows of it.
            bytes_before: Bytes of the files cleaned before it.
            bytes_total: Bytes of all the files.
            spec: How its records are cut and mapped.
            identity: What it held when the job began with it.
        """
        super().__init__(path, spec=spec, name=file.name, file_name=path.name, identity=identity)
        self._size_bytes = file.size_bytes
        self._bytes_before = bytes_before
        self._bytes_of_all = bytes_total

    def progress(self, position: str) -> ReadProgress:
        """Bytes of all the files, as they lie there; a file of unknown extent counts at its end."""
        within = super().progress(position)
        read = 0
        if within.bytes_total:
            read = self._size_bytes * within.bytes_read // within.bytes_total
        return ReadProgress(self._bytes_before + read, self._bytes_of_all)
