"""Settings, snapshots, tiers and the end of datasets: what the tick store does beside its data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.dataset_settings import DatasetSettings, SettingsDirectory
    from tickmesh_tickstore.domain.retention import DatasetLimits, Retention
    from tickmesh_tickstore.domain.snapshots import Snapshot
    from tickmesh_tickstore.engine.interface import DatasetInfo, DatasetStatistics, TickEngine


@dataclass(frozen=True, slots=True)
class DatasetView:
    """A dataset as clients see it."""

    info: DatasetInfo
    statistics: DatasetStatistics
    settings: DatasetSettings


class Administration:
    """Administers the datasets of a store; the same functions behind gRPC and Flight's actions."""

    def __init__(self, *, engine: TickEngine, settings: SettingsDirectory) -> None:
        self._engine = engine
        self._settings = settings

    def dataset(self, call: CallContext, name: str) -> DatasetView:
        """One dataset as it stands."""
        del call
        info = self._engine.dataset(name)
        return DatasetView(info, self._engine.statistics(name), self._settings.get(name))

    def update_dataset(
        self,
        call: CallContext,
        name: str,
        *,
        naive_time_zone: str | None = None,
        retention: Retention | None = None,
        limits: DatasetLimits | None = None,
    ) -> DatasetView:
        """Changes settings of a dataset; what is None stays as it is. Durable on return."""
        self._engine.dataset(name)

        def changed(present: DatasetSettings) -> DatasetSettings:
            zone = present.naive_time_zone if naive_time_zone is None else naive_time_zone
            return replace(
                present,
                naive_time_zone=zone,
                retention=retention or present.retention,
                limits=limits or present.limits,
            )

        self._settings.change(name, changed)
        return self.dataset(call, name)

    def delete_dataset(self, call: CallContext, name: str) -> int:
        """Deletes a dataset with its rows and settings, and returns how many rows there were.

        Raises:
            DatasetHeldError: named snapshots hold it.
        """
        del call
        rows = self._engine.delete_dataset(name)
        # A crash before this leaves settings of no dataset, which the next start forgets.
        self._settings.delete(name)
        return rows

    def create_snapshot(
        self, call: CallContext, name: str, *, datasets: Sequence[str] = ()
    ) -> Snapshot:
        """Names the present revisions of some datasets, all of them where none is named (T7)."""
        del call
        return self._engine.create_snapshot(name, datasets=datasets)

    def snapshots(
        self, call: CallContext, *, dataset: str = "", after: str = ""
    ) -> Iterator[Snapshot]:
        """Named snapshots in order of their names, behind one of them; those of a dataset alone."""
        del call
        for snapshot in self._engine.snapshots():
            if snapshot.name > after and (not dataset or dataset in snapshot.revisions):
                yield snapshot

    def delete_snapshot(self, call: CallContext, name: str) -> None:
        """Forgets a named snapshot."""
        del call
        self._engine.delete_snapshot(name)

    def flush(self, call: CallContext, name: str, *, timeout_seconds: float) -> DatasetView:
        """Moves everything acknowledged out of the write-ahead log into segments.

        Raises:
            TimeoutError: it goes on in the background.
        """
        self._engine.flush(name, timeout_seconds=timeout_seconds)
        return self.dataset(call, name)

    def compact(self, call: CallContext, name: str, *, timeout_seconds: float) -> DatasetView:
        """Brings all rows into settled segments, small neighbours merged.

        Raises:
            TimeoutError: it goes on in the background.
        """
        self._engine.compact(name, timeout_seconds=timeout_seconds)
        return self.dataset(call, name)
