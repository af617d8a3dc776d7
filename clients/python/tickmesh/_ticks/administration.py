"""Settings, snapshots and upkeep of datasets, as a client asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from google.protobuf.field_mask_pb2 import FieldMask

from tickmesh._ticks.durations import duration_ns
from tickmesh.api.tickstore.v1 import dataset_pb2, tick_store_service_pb2
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh._ticks.connection import TickConnection
    from tickmesh._ticks.durations import Duration

__all__ = ["Limits", "Retention", "TickAdministration"]

_PAGE_SIZE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long and how much of a dataset is kept; `Retention()` keeps everything.

    Attributes:
        max_age: Rows older than this are dropped: `"30d"`, a timedelta, or int nanoseconds.
        max_bytes: The oldest rows are dropped while segments hold more bytes.
    """

    max_age: Duration | None = None
    max_bytes: int | None = None

    def to_message(self) -> dataset_pb2.Retention:
        """The retention as the wire says it."""
        message = dataset_pb2.Retention(max_bytes=self.max_bytes or 0)
        if self.max_age is not None:
            message.max_age.FromNanoseconds(duration_ns(self.max_age, name="max_age"))
        return message


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the producers of a dataset may use; `Limits()` leaves it to the store's own limits.

    Attributes:
        max_bytes: Puts are refused while the dataset holds more bytes.
        max_put_streams: Put streams open at the same time.
    """

    max_bytes: int | None = None
    max_put_streams: int | None = None

    def to_message(self) -> dataset_pb2.DatasetLimits:
        """The limits as the wire says them."""
        return dataset_pb2.DatasetLimits(
            max_bytes=self.max_bytes or 0, max_put_streams=self.max_put_streams or 0
        )


class TickAdministration:
    """The calls of TickStoreService that change no row by themselves."""

    def __init__(self, connection: TickConnection, *, timeout_seconds: float) -> None:
        self._connection = connection
        self._timeout_seconds = timeout_seconds

    def create_dataset(
        self, subject: str, *, naive_time_zone: str, retention: Retention, limits: Limits
    ) -> dataset_pb2.Dataset:
        """Create the dataset of a subject."""
        request = tick_store_service_pb2.CreateDatasetRequest(
            dataset=subject,
            naive_time_zone=naive_time_zone,
            retention=retention.to_message(),
            limits=limits.to_message(),
        )
        return self._dataset_of("CreateDataset", request)

    def dataset(self, name: str) -> dataset_pb2.Dataset:
        """One dataset."""
        request = tick_store_service_pb2.GetDatasetRequest(dataset=name)
        return self._dataset_of("GetDataset", request)

    def update_dataset(
        self,
        dataset: str,
        *,
        naive_time_zone: str | None,
        retention: Retention | None,
        limits: Limits | None,
    ) -> dataset_pb2.Dataset:
        """Change settings; what is None stays."""
        given = {
            "naive_time_zone": naive_time_zone,
            "retention": retention,
            "limits": limits,
        }
        paths = [name for name, value in given.items() if value is not None]
        if not paths:
            raise InvalidArgumentError(
                f"Nothing is to be changed: give at least one of {', '.join(given)}."
            )
        request = tick_store_service_pb2.UpdateDatasetRequest(
            dataset=dataset,
            naive_time_zone=naive_time_zone or "",
            retention=None if retention is None else retention.to_message(),
            limits=None if limits is None else limits.to_message(),
            update_mask=FieldMask(paths=paths),
        )
        return self._dataset_of("UpdateDataset", request)

    def delete_dataset(self, dataset: str) -> int:
        """Delete a dataset; the rows it had."""
        request = tick_store_service_pb2.DeleteDatasetRequest(dataset=dataset)
        answer: tick_store_service_pb2.DeleteDatasetResponse = self._call("DeleteDataset", request)
        return answer.rows_deleted

    def create_snapshot(self, name: str, *, datasets: Sequence[str]) -> dataset_pb2.Snapshot:
        """Make a named snapshot."""
        request = tick_store_service_pb2.CreateSnapshotRequest(snapshot=name, datasets=datasets)
        answer: tick_store_service_pb2.CreateSnapshotResponse = self._call(
            "CreateSnapshot", request
        )
        return answer.snapshot

    def snapshots(self, *, dataset: str) -> list[dataset_pb2.Snapshot]:
        """All named snapshots, or those of one dataset."""
        found: list[dataset_pb2.Snapshot] = []
        request = tick_store_service_pb2.ListSnapshotsRequest(page_size=_PAGE_SIZE, dataset=dataset)
        while True:
            answer: tick_store_service_pb2.ListSnapshotsResponse = self._call(
                "ListSnapshots", request
            )
            found.extend(answer.snapshots)
            if not answer.next_page_token:
                return found
            request.page_token = answer.next_page_token

    def delete_snapshot(self, name: str) -> None:
        """Delete a named snapshot."""
        self._call("DeleteSnapshot", tick_store_service_pb2.DeleteSnapshotRequest(snapshot=name))

    def flush(self, dataset: str, *, timeout_seconds: float) -> dataset_pb2.Dataset:
        """Move what is acknowledged into segments."""
        request = tick_store_service_pb2.FlushDatasetRequest(dataset=dataset)
        request.timeout.FromNanoseconds(round(timeout_seconds * 1e9))
        return self._dataset_of("FlushDataset", request, more_seconds=timeout_seconds)

    def compact(self, dataset: str, *, timeout_seconds: float) -> dataset_pb2.Dataset:
        """Settle every segment."""
        request = tick_store_service_pb2.CompactDatasetRequest(dataset=dataset)
        request.timeout.FromNanoseconds(round(timeout_seconds * 1e9))
        return self._dataset_of("CompactDataset", request, more_seconds=timeout_seconds)

    def _dataset_of(
        self, method: str, request: object, *, more_seconds: float = 0.0
    ) -> dataset_pb2.Dataset:
        answer: tick_store_service_pb2.GetDatasetResponse = self._call(
            method, request, more_seconds=more_seconds
        )
        return answer.dataset

    def _call(self, method: str, request: object, *, more_seconds: float = 0.0) -> Any:
        return self._connection.call(
            method, request, timeout_seconds=self._timeout_seconds + more_seconds
        )
