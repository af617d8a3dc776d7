"""Where a dataset's files live."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh_tickstore.engine.disk.filesystem import make_directory

if TYPE_CHECKING:
    from pathlib import Path

    from tickmesh_tickstore.engine.disk.filesystem import FileSystem

__all__ = ["DatasetDirectory"]


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
        """A segment by id."""
        return self.segments / f"{segment_id}.arrow"

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
