"""Where a dataset's files live."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tickmesh_tickstore.engine.disk.filesystem import make_directory
from tickmesh_tickstore.engine.disk.segment import SegmentPart, Tier
from tickmesh_tickstore.engine.disk.settled import SettledPart

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from tickmesh_tickstore.engine.disk.filesystem import FileSystem
    from tickmesh_tickstore.engine.disk.segment import SegmentCache, SegmentRecord

__all__ = ["DatasetDirectory"]

_DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class DatasetDirectory:
    """The files of one dataset: `logs/`, `segments/`, `staging/`."""

    root: Path
    dataset_id: str

    @property
    def logs(self) -> Path:
        """Write-ahead logs."""
        return self.root / "logs"

    @property
    def segments(self) -> Path:
        """Immutable segments."""
        return self.root / "segments"

    @property
    def staging(self) -> Path:
        """Atomic uploads that are not committed; emptied at start."""
        return self.root / "staging"

    def log(self, number: int) -> Path:
        """A log by number."""
        return self.logs / f"{number:010d}.log"

    def log_numbers(self) -> list[int]:
        """The logs there are, oldest first."""
        return sorted(int(path.stem) for path in self.logs.glob("*.log"))

    def spares(self) -> list[Path]:
        """Sealed logs kept to be written over."""
        return sorted(self.logs.glob("*.spare"))

    def any_spare(self) -> Path | None:
        """A sealed log to write over."""
        return next(iter(self.spares()), None)

    def spare(self, number: int) -> Path:
        """What a sealed log is called while it is kept."""
        return self.logs / f"{number:010d}.spare"

    def segment(self, segment_id: str) -> Path:
        """A recent segment by id."""
        return self.segments / f"{segment_id}.arrow"

    def part(self, record: SegmentRecord, schema: pa.Schema, cache: SegmentCache) -> SegmentPart:
        """A segment of rows of a schema as a part of the dataset."""
        path = self.segments / record.file_name
        if record.tier is Tier.SETTLED:
            return SettledPart(record, path, cache, schema)
        return SegmentPart(record, path, cache)

    def settling(self, segment_id: str) -> Path:
        """A settled segment by id while it is written."""
        return self.staging / f"{segment_id}.parquet"

    def staged(self, upload_id: str) -> Path:
        """A staged upload by id."""
        return self.staging / f"{upload_id}.arrow"

    def create(self, files: FileSystem) -> None:
        """Create the directories, durably."""
        make_directory(self.root.parent, files)
        make_directory(self.root, files)
        for path in (self.logs, self.segments, self.staging):
            path.mkdir(exist_ok=True)
        files.sync_directory(self.root)

    @contextmanager
    def marked_deleted(self) -> Iterator[None]:
        """Say that what is here may go, for the manifest is about to forget it.

        Taken back where the manifest keeps it.
        """
        mark = self.root / _DELETED
        mark.touch()
        try:
            yield
        except BaseException:
            mark.unlink(missing_ok=True)
            raise

    @property
    def is_disposable(self) -> bool:
        """Whether it was deleted on purpose, or never held a row."""
        return (self.root / _DELETED).exists() or not (
            any(self.logs.glob("*")) or any(self.segments.glob("*"))
        )

    def remove(self, files: FileSystem) -> None:
        """Remove everything; what cannot be removed now is at the next start."""
        for path, directories, names in os.walk(self.root, topdown=False):
            for name in names:
                files.remove(Path(path, name))
            for name in directories:
                Path(path, name).rmdir()
        with suppress(FileNotFoundError):
            self.root.rmdir()
