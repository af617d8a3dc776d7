"""The one handler table behind gRPC's TickStoreService and Flight's actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from google.protobuf.message import DecodeError, Message

from tickmesh.api.tickstore.v1 import tick_store_service_pb2 as wire
from tickmesh_tickstore import dataset_handlers as datasets
from tickmesh_tickstore import snapshot_handlers as snapshots
from tickmesh_tickstore.errors import InvalidRequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import TickStore

SERVICE_NAME = wire.DESCRIPTOR.services_by_name["TickStoreService"].full_name


class Handler(NamedTuple):
    """One method of the service and one action.

    Attributes:
        request: The message it takes.
        answer: What answers it; may block on disk.
        permission: What its caller needs.
        description: What it does, in words.
        waits: Whether it may take minutes, as its caller says.
    """

    request: type[Message]
    answer: Callable[[TickStore, CallContext, Any], Message]
    permission: str
    description: str
    waits: bool = False


HANDLERS: Mapping[str, Handler] = {
    "CreateDataset": Handler(
        wire.CreateDatasetRequest,
        datasets.create_dataset,
        "datasets.create",
        "Creates the dataset of a registered subject before its first put.",
    ),
    "GetDataset": Handler(
        wire.GetDatasetRequest, datasets.get_dataset, "datasets.read", "Gets one dataset."
    ),
    "ListDatasets": Handler(
        wire.ListDatasetsRequest,
        datasets.list_datasets,
        "datasets.read",
        "Lists datasets in order of their names.",
    ),
    "UpdateDataset": Handler(
        wire.UpdateDatasetRequest,
        datasets.update_dataset,
        "datasets.update",
        "Changes the settings of a dataset.",
    ),
    "DeleteDataset": Handler(
        wire.DeleteDatasetRequest,
        datasets.delete_dataset,
        "datasets.delete",
        "Deletes a dataset with all its rows, for good.",
    ),
    "CreateSnapshot": Handler(
        wire.CreateSnapshotRequest,
        snapshots.create_snapshot,
        "snapshots.create",
        "Names the present revisions of some datasets and keeps what they show.",
    ),
    "ListSnapshots": Handler(
        wire.ListSnapshotsRequest,
        snapshots.list_snapshots,
        "snapshots.read",
        "Lists named snapshots in order of their names.",
    ),
    "DeleteSnapshot": Handler(
        wire.DeleteSnapshotRequest,
        snapshots.delete_snapshot,
        "snapshots.delete",
        "Deletes a named snapshot.",
    ),
    "FlushDataset": Handler(
        wire.FlushDatasetRequest,
        datasets.flush_dataset,
        "datasets.maintain",
        "Moves everything acknowledged out of the write-ahead log into segments.",
        waits=True,
    ),
    "CompactDataset": Handler(
        wire.CompactDatasetRequest,
        datasets.compact_dataset,
        "datasets.maintain",
        "Settles every recent segment and merges small ones.",
        waits=True,
    ),
    "OpenProducer": Handler(
        wire.OpenProducerRequest,
        datasets.open_producer,
        "ticks.write",
        "Opens a new epoch for a producer and fences its older ones.",
    ),
    "GetStats": Handler(
        wire.GetStatsRequest,
        datasets.get_stats,
        "datasets.read",
        "Tells what the store holds, how it recovered, and how it is doing.",
    ),
}

ACTION_DESCRIPTIONS = [(name, handler.description) for name, handler in HANDLERS.items()]


def run_action(store: TickStore, call: CallContext, action_type: str, body: bytes) -> bytes:
    """Answers a Flight action whose body is the serialized request of the same name.

    Raises:
        InvalidRequestError: no such action, or the body is no such request.
    """
    handler = HANDLERS.get(action_type)
    if handler is None:
        raise InvalidRequestError(
            f"There is no action '{action_type:.60}'; the actions are {', '.join(HANDLERS)}.",
            metadata={"action": action_type[:60]},
            violations=[("type", "expected one of list_actions()")],
        )
    try:
        request = handler.request.FromString(body)
    except DecodeError:
        expected = handler.request.DESCRIPTOR.full_name
        raise InvalidRequestError(
            f"The body of action {action_type} must be a serialized {expected}.",
            violations=[("body", f"expected {expected}")],
        ) from None
    return handler.answer(store, call, request).SerializeToString()
