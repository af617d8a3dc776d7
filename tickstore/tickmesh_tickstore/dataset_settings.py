"""What a dataset is told beside its schema, kept in one small file each."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import zoneinfo
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from tickmesh_tickstore.domain.retention import (
    KEEP_EVERYTHING,
    UNLIMITED,
    DatasetLimits,
    Retention,
)
from tickmesh_tickstore.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class DatasetSettings:
    """Settings of one dataset.

    Attributes:
        naive_time_zone: The IANA zone that zone-less timestamps are read in; refused when empty.
        created_at_ns: When it was created, nanoseconds since the epoch; 0 when unknown.
        retention: How long and how much is kept.
        limits: What its producers may use.
    """

    naive_time_zone: str = ""
    created_at_ns: int = 0
    retention: Retention = KEEP_EVERYTHING
    limits: DatasetLimits = UNLIMITED

    def differences(self, other: DatasetSettings) -> list[str]:
        """Names of the settings that `other` has otherwise; its time of creation is none."""
        names = ("naive_time_zone", "retention", "limits")
        return [name for name in names if getattr(self, name) != getattr(other, name)]


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
            return self._get(dataset)

    def _get(self, dataset: str) -> DatasetSettings:
        known = self._known.get(dataset)
        if known is None:
            try:
                known = _read(self._path(dataset).read_text())
            except FileNotFoundError:
                known = DatasetSettings()
            self._known[dataset] = known
        return known

    def put(self, dataset: str, settings: DatasetSettings) -> None:
        """Stores settings; durable on return."""
        self.change(dataset, lambda _: settings)

    def change(
        self, dataset: str, change: Callable[[DatasetSettings], DatasetSettings]
    ) -> DatasetSettings:
        """Stores what `change` makes of the present settings; durable on return."""
        path = self._path(dataset)
        staged = path.with_suffix(".new")
        with self._lock:
            settings = change(self._get(dataset))
            with staged.open("w") as file:
                json.dump(asdict(settings), file)
                file.flush()
                os.fsync(file.fileno())
            staged.replace(path)
            self._sync_directory()
            self._known[dataset] = settings
        return settings

    def delete(self, dataset: str) -> None:
        """Forgets the settings of a dataset that is deleted; durable on return."""
        with self._lock:
            self._path(dataset).unlink(missing_ok=True)
            self._sync_directory()
            self._known.pop(dataset, None)

    def keep_only(self, datasets: Iterable[str]) -> None:
        """Forgets the settings of every other dataset: a crash cut their deletion short."""
        kept = {self._path(dataset) for dataset in datasets}
        with self._lock:
            for path in self._directory.iterdir():
                if path not in kept:
                    path.unlink()

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _path(self, dataset: str) -> Path:
        # A subject's name may be longer, or of other characters, than a file's may.
        return self._directory / f"{hashlib.sha256(dataset.encode()).hexdigest()}.json"


def _read(text: str) -> DatasetSettings:
    stored = json.loads(text)
    retention = Retention(**stored.pop("retention", {}))
    limits = DatasetLimits(**stored.pop("limits", {}))
    return DatasetSettings(**stored, retention=retention, limits=limits)


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
