"""What answers the calls about datasets and producers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.api.tickstore.v1 import dataset_pb2
from tickmesh.api.tickstore.v1 import tick_store_service_pb2 as wire
from tickmesh_tickstore.administration_messages import (
    dataset_message,
    limits_of,
    retention_of,
    timeout_seconds_of,
)
from tickmesh_tickstore.dataset_settings import checked_time_zone
from tickmesh_tickstore.errors import InvalidRequestError
from tickmesh_tickstore.paging import page_size_of

if TYPE_CHECKING:
    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import TickStore

_SETTINGS = ("naive_time_zone", "retention", "limits")


def create_dataset(
    store: TickStore, call: CallContext, request: wire.CreateDatasetRequest
) -> wire.CreateDatasetResponse:
    """Answers CreateDataset."""
    view = store.create_dataset(
        call,
        request.dataset,
        naive_time_zone=request.naive_time_zone,
        retention=retention_of(request.retention),
        limits=limits_of(request.limits),
    )
    return wire.CreateDatasetResponse(dataset=dataset_message(view))


def get_dataset(
    store: TickStore, call: CallContext, request: wire.GetDatasetRequest
) -> wire.GetDatasetResponse:
    """Answers GetDataset."""
    return wire.GetDatasetResponse(dataset=dataset_message(store.dataset(call, request.dataset)))


def list_datasets(
    store: TickStore, call: CallContext, request: wire.ListDatasetsRequest
) -> wire.ListDatasetsResponse:
    """Answers ListDatasets."""
    size = page_size_of(request.page_size)
    response = wire.ListDatasetsResponse()
    for view in store.datasets(call, prefix=request.prefix, after=request.page_token):
        if len(response.datasets) == size:
            response.next_page_token = response.datasets[-1].name
            break
        response.datasets.append(dataset_message(view))
    return response


def update_dataset(
    store: TickStore, call: CallContext, request: wire.UpdateDatasetRequest
) -> wire.UpdateDatasetResponse:
    """Answers UpdateDataset."""
    paths = set(request.update_mask.paths)
    unknown = sorted(paths.difference(_SETTINGS))
    if not paths or unknown:
        came = ", ".join(unknown)[:200] or "empty"
        raise InvalidRequestError(
            f"update_mask must name some of {', '.join(_SETTINGS)}; it was {came}.",
            metadata={"came": came},
            violations=[("update_mask", f"expected some of {', '.join(_SETTINGS)}")],
        )
    view = store.administration.update_dataset(
        call,
        request.dataset,
        naive_time_zone=(
            checked_time_zone(request.naive_time_zone) if "naive_time_zone" in paths else None
        ),
        retention=retention_of(request.retention) if "retention" in paths else None,
        limits=limits_of(request.limits) if "limits" in paths else None,
    )
    return wire.UpdateDatasetResponse(dataset=dataset_message(view))


def delete_dataset(
    store: TickStore, call: CallContext, request: wire.DeleteDatasetRequest
) -> wire.DeleteDatasetResponse:
    """Answers DeleteDataset."""
    rows = store.administration.delete_dataset(call, request.dataset)
    return wire.DeleteDatasetResponse(rows_deleted=rows)


def flush_dataset(
    store: TickStore, call: CallContext, request: wire.FlushDatasetRequest
) -> wire.FlushDatasetResponse:
    """Answers FlushDataset."""
    timeout = timeout_seconds_of(request.timeout, given=request.HasField("timeout"))
    view = store.administration.flush(call, request.dataset, timeout_seconds=timeout)
    return wire.FlushDatasetResponse(dataset=dataset_message(view))


def compact_dataset(
    store: TickStore, call: CallContext, request: wire.CompactDatasetRequest
) -> wire.CompactDatasetResponse:
    """Answers CompactDataset."""
    timeout = timeout_seconds_of(request.timeout, given=request.HasField("timeout"))
    view = store.administration.compact(call, request.dataset, timeout_seconds=timeout)
    return wire.CompactDatasetResponse(dataset=dataset_message(view))


def open_producer(
    store: TickStore, call: CallContext, request: wire.OpenProducerRequest
) -> wire.OpenProducerResponse:
    """Answers OpenProducer."""
    state = store.open_producer(call, request.dataset, request.producer_id)
    return wire.OpenProducerResponse(
        producer=dataset_pb2.Producer(
            producer_id=request.producer_id,
            producer_epoch=state.epoch,
            last_sequence=state.last_sequence,
        )
    )


def get_stats(
    store: TickStore, call: CallContext, request: wire.GetStatsRequest
) -> wire.GetStatsResponse:
    """Answers GetStats."""
    views = (
        [store.dataset(call, request.dataset)] if request.dataset else list(store.datasets(call))
    )
    counters = store.counters
    return wire.GetStatsResponse(
        datasets=[dataset_message(view) for view in views],
        rows_committed=counters.rows_committed,
        commit_groups=store.commit_groups(),
        duplicate_batches=counters.duplicate_batches,
        refused_batches=counters.refused_batches,
        registry_stale_since_ns=store.governance.stale_since_ns() or 0,
        recovery=wire.RecoveryStats(
            duration_seconds=store.recovery.duration_seconds,
            replayed_bytes=store.recovery.replayed_bytes,
            torn_bytes=store.recovery.torn_bytes,
            dropped_upload_bytes=store.recovery.dropped_upload_bytes,
        ),
    )
