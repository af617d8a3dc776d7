"""What a dataset was created with beside its schema, kept in one small file each."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zoneinfo
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tickmesh_tickstore.errors import InvalidRequestError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """Settings of one dataset.

    Attributes:
        naive_time_zone: The IANA zone that zone-less timestamps are read in; refused when empty.
        created_at_ns: When it was created, nanoseconds since the epoch; 0 when unknown.
    """

    naive_time_zone: str = ""
    created_at_ns: int = 0


class SettingsDirectory:
    """The settings of all datasets of a store; safe for any thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._known: dict[str, DatasetSettings] = {}

    def get(self, dataset: str) -> DatasetSettings:
        """The settings of a dataset; the defaults where none were ever stored."""
        with self._lock:
            known = self._known.get(dataset)
            if known is None:
                try:
                    stored = json.loads(self._path(dataset).read_text())
                    known = DatasetSettings(**stored)
                except FileNotFoundError:
                    known = DatasetSettings()
                self._known[dataset] = known
            return known

    def put(self, dataset: str, settings: DatasetSettings) -> None:
        """Stores settings; durable on return."""
        path = self._path(dataset)
        staged = path.with_suffix(".new")
        with self._lock:
            with staged.open("w") as file:
                json.dump(asdict(settings), file)
                file.flush()
                os.fsync(file.fileno())
            staged.replace(path)
            descriptor = os.open(self._directory, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._known[dataset] = settings

    def _path(self, dataset: str) -> Path:
        # A subject's name may be longer, or of other characters, than a file's may.
        return self._directory / f"{hashlib.sha256(dataset.encode()).hexdigest()}.json"


def checked_time_zone(name: str) -> str:
    """Returns an IANA zone's name, or the empty string.

    Raises:
        InvalidRequestError: there is no such zone.
    """
    if name:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidRequestError(
                f"naive_time_zone must be an IANA time zone such as America/New_York; it was "
                f"'{name:.60}'.",
                metadata={"naiveTimeZone": name[:60]},
                violations=[("naive_time_zone", "expected an IANA time zone or nothing")],
            ) from None
    return name
