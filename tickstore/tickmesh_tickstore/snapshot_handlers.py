"""What answers the calls about named snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tickmesh.api.tickstore.v1 import tick_store_service_pb2 as wire
from tickmesh_tickstore.administration_messages import snapshot_message
from tickmesh_tickstore.paging import page_size_of

if TYPE_CHECKING:
    from tickmesh_serving.call_context import CallContext
    from tickmesh_tickstore.application import TickStore


def create_snapshot(
    store: TickStore, call: CallContext, request: wire.CreateSnapshotRequest
) -> wire.CreateSnapshotResponse:
    """Answers CreateSnapshot."""
    snapshot = store.administration.create_snapshot(
        call, request.snapshot, datasets=tuple(request.datasets)
    )
    return wire.CreateSnapshotResponse(snapshot=snapshot_message(snapshot))


def list_snapshots(
    store: TickStore, call: CallContext, request: wire.ListSnapshotsRequest
) -> wire.ListSnapshotsResponse:
    """Answers ListSnapshots."""
    size = page_size_of(request.page_size)
    response = wire.ListSnapshotsResponse()
    for snapshot in store.administration.snapshots(
        call, dataset=request.dataset, after=request.page_token
    ):
        if len(response.snapshots) == size:
            response.next_page_token = response.snapshots[-1].name
            break
        response.snapshots.append(snapshot_message(snapshot))
    return response


def delete_snapshot(
    store: TickStore, call: CallContext, request: wire.DeleteSnapshotRequest
) -> wire.DeleteSnapshotResponse:
    """Answers DeleteSnapshot."""
    store.administration.delete_snapshot(call, request.snapshot)
    return wire.DeleteSnapshotResponse()
