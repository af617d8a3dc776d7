"""The one handler table behind gRPC's TickStoreService and Flight's actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError, Message

from tickmesh.api.tickstore.v1 import dataset_pb2
from tickmesh.api.tickstore.v1 import tick_store_service_pb2 as wire
from tickmesh_tickstore.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import DatasetView, TickStore

SERVICE_NAME = wire.DESCRIPTOR.services_by_name["TickStoreService"].full_name

_DEFAULT_PAGE, _MAX_PAGE = 100, 1_000


def _create_dataset(
    store: TickStore, call: CallContext, request: wire.CreateDatasetRequest
) -> wire.CreateDatasetResponse:
    view = store.create_dataset(call, request.dataset, naive_time_zone=request.naive_time_zone)
    return wire.CreateDatasetResponse(dataset=dataset_message(view))


def _get_dataset(
    store: TickStore, call: CallContext, request: wire.GetDatasetRequest
) -> wire.GetDatasetResponse:
    return wire.GetDatasetResponse(dataset=dataset_message(store.dataset(call, request.dataset)))


def _list_datasets(
    store: TickStore, call: CallContext, request: wire.ListDatasetsRequest
) -> wire.ListDatasetsResponse:
    if request.page_size < 0:
        raise InvalidRequestError(
            f"page_size must be 0 or more; it was {request.page_size}.",
            violations=[("page_size", "expected 0 for the default, or 1 to 1000")],
        )
    size = min(request.page_size or _DEFAULT_PAGE, _MAX_PAGE)
    response = wire.ListDatasetsResponse()
    for view in store.datasets(call, prefix=request.prefix, after=request.page_token):
        if len(response.datasets) == size:
            response.next_page_token = response.datasets[-1].name
            break
        response.datasets.append(dataset_message(view))
    return response


def _open_producer(
    store: TickStore, call: CallContext, request: wire.OpenProducerRequest
) -> wire.OpenProducerResponse:
    state = store.open_producer(call, request.dataset, request.producer_id)
    return wire.OpenProducerResponse(
        producer=dataset_pb2.Producer(
            producer_id=request.producer_id,
            producer_epoch=state.epoch,
            last_sequence=state.last_sequence,
        )
    )


def _get_stats(
    store: TickStore, call: CallContext, request: wire.GetStatsRequest
) -> wire.GetStatsResponse:
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


HANDLERS: Mapping[str, tuple[type[Message], Callable[..., Message], str]] = {
    "CreateDataset": (
        wire.CreateDatasetRequest,
        _create_dataset,
        "Creates the dataset of a registered subject before its first put.",
    ),
    "GetDataset": (wire.GetDatasetRequest, _get_dataset, "Gets one dataset."),
    "ListDatasets": (
        wire.ListDatasetsRequest,
        _list_datasets,
        "Lists datasets in order of their names.",
    ),
    "OpenProducer": (
        wire.OpenProducerRequest,
        _open_producer,
        "Opens a new epoch for a producer and fences its older ones.",
    ),
    "GetStats": (
        wire.GetStatsRequest,
        _get_stats,
        "Tells what the store holds, how it recovered, and how it is doing.",
    ),
}
"""By name: the request, what answers it, and what it does in words."""

ACTION_DESCRIPTIONS = [(name, text) for name, (_, _, text) in HANDLERS.items()]


def run_action(store: TickStore, call: CallContext, action_type: str, body: bytes) -> bytes:
    """Answers a Flight action whose body is the serialized request of the same name.

    Raises:
        InvalidRequestError: no such action, or the body is no such request.
    """
    entry = HANDLERS.get(action_type)
    if entry is None:
        raise InvalidRequestError(
            f"There is no action '{action_type:.60}'; the actions are {', '.join(HANDLERS)}.",
            metadata={"action": action_type[:60]},
            violations=[("type", "expected one of list_actions()")],
        )
    request_type, handler, _ = entry
    try:
        request: Any = request_type.FromString(body)
    except DecodeError:
        raise InvalidRequestError(
            f"The body of action {action_type} must be a serialized "
            f"{request_type.DESCRIPTOR.full_name}.",
            violations=[("body", f"expected {request_type.DESCRIPTOR.full_name}")],
        ) from None
    return handler(store, call, request).SerializeToString()


def dataset_message(view: DatasetView) -> dataset_pb2.Dataset:
    """A dataset as the wire says it."""
    info, statistics = view.info, view.statistics
    message = dataset_pb2.Dataset(
        name=info.name,
        subject=info.name,
        revision=statistics.revision,
        row_count=statistics.rows,
        size_bytes=statistics.log_bytes + statistics.segment_bytes,
        schema_version=info.versions[-1][0].schema_version,
        schema_versions=[stamp.schema_version for stamp, _ in info.versions],
        min_event_time_ns=statistics.min_time_ns,
        max_event_time_ns=statistics.max_time_ns,
        naive_time_zone=view.settings.naive_time_zone,
        failure=statistics.failure,
        damaged=bool(info.damage),
    )
    if view.settings.created_at_ns:
        message.created_at.FromNanoseconds(view.settings.created_at_ns)
    return message
