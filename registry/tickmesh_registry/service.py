"""The gRPC edge: requests in, answers out; everything in between is the application's.

Answers that are sent often, versions and events, are encoded once and sent as bytes.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from tickmesh.api.registry.v1 import change_set_pb2, life_cycle_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb
from tickmesh_serving.call_context import current_call
from tickmesh_serving.permissions import PermissionTable
from tickmesh_serving.server import GrpcService

from . import requests, wire
from .application import Candidate
from .cache import BoundedCache
from .change_set_service import ChangeSetService
from .domain.bounds import MAX_INSTANT_NS, require_labels
from .domain.changes import WatchFilter
from .domain.errors import InvalidArgumentError, SlowWatcherError
from .domain.tokens import WatchToken
from .feed import DeliveryKind, Start, WatchOrder
from .life_cycle_service import LifeCycleService
from .proposal import Proposal
from .reads import ReadHandlers
from .stuck import WriteLimit, WriteTimeoutError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from google.protobuf.message import Message

    from tickmesh_serving.permissions import Grants

    from .application import RegistryApplication
    from .domain.versions import Version
    from .feed import Delivery

FULL_NAME = "tickmesh.api.registry.v1.SchemaRegistryService"

_ENCODED_BYTES = 32 << 20
_ABORT_SECONDS = 10.0
_PROGRESS_SECONDS = (1.0, 10.0, 60.0)
_MAX_FILTER_SUBJECTS = 10_000

_PERMISSIONS: Mapping[str, str] = {
    "RegisterSchema": "registry.schemas.register",
    "GetSchema": "registry.schemas.read",
    "BatchGetSchemas": "registry.schemas.read",
    "ListSubjects": "registry.schemas.read",
    "ListVersions": "registry.schemas.read",
    "SearchSchemas": "registry.schemas.read",
    "DiffSchemas": "registry.schemas.read",
    "GetTimeline": "registry.schemas.read",
    "ApplyChangeSet": "registry.schemas.register",
    "DeprecateVersion": "registry.schemas.deprecate",
    "DeleteVersion": "registry.schemas.delete",
    "RestoreVersion": "registry.schemas.delete",
    "CheckCompatibility": "registry.schemas.read",
    "GetCompatibility": "registry.schemas.read",
    "SetCompatibility": "registry.settings.write",
    "Watch": "registry.schemas.watch",
    "GetCacheStats": "registry.caches.read",
}

_DELIVERY_KINDS = {
    DeliveryKind.EVENTS: pb.WatchResponse.KIND_EVENTS,
    DeliveryKind.SNAPSHOT_PART: pb.WatchResponse.KIND_SNAPSHOT_PART,
    DeliveryKind.SNAPSHOT_END: pb.WatchResponse.KIND_SNAPSHOT_END,
    DeliveryKind.PROGRESS: pb.WatchResponse.KIND_PROGRESS,
    DeliveryKind.DRAINING: pb.WatchResponse.KIND_DRAINING,
}


def permission_table(grants: Grants) -> PermissionTable:
    """Which permission each RPC needs."""
    return PermissionTable(
        {f"/{FULL_NAME}/{method}": permission for method, permission in _PERMISSIONS.items()},
        grants=grants,
    )


class SchemaRegistryService:
    """Translates between the wire and the application.

    Args:
        application: What the registry does.
        stuck_after_seconds: A watcher that takes nothing for so long is sent away.
    """

    def __init__(
        self, application: RegistryApplication, *, stuck_after_seconds: float = 20.0
    ) -> None:
        self._application = application
        self._life_cycle = LifeCycleService(application.life_cycle)
        self._change_sets = ChangeSetService(application)
        self._reads = ReadHandlers(application)
        self._stuck_after_seconds = stuck_after_seconds
        self._encoded: BoundedCache[tuple[str, int, str], bytes] = BoundedCache(
            max_weight=_ENCODED_BYTES, weigh=len
        )

    def grpc_service(self) -> GrpcService:
        """The service as a server process takes it."""
        return GrpcService(FULL_NAME, self._add_to_server)

    async def register_schema(
        self, request: pb.RegisterSchemaRequest, _context: object
    ) -> pb.RegisterSchemaResponse:
        """Serve RegisterSchema."""
        registration = await self._application.register(
            Proposal(
                subject=request.subject,
                format=wire.format_name(request.format),
                text=request.text,
                references=wire.references_of(request.references),
                labels=dict(request.labels),
                effective_from_ns=(
                    wire.instant_ns(request.effective_from, field="effective_from")
                    if request.HasField("effective_from")
                    else None
                ),
                expected_version=(
                    request.expected_version if request.HasField("expected_version") else None
                ),
                request_id=request.request_id,
                dry_run=request.dry_run,
                allow_breaking=request.allow_breaking,
                ignore_deleted=request.ignore_deleted,
                data_report=(
                    wire.data_report_of(request.data_report)
                    if request.HasField("data_report")
                    else None
                ),
            ),
            current_call(),
        )
        return pb.RegisterSchemaResponse(
            schema=wire.version_message(registration.version),
            report=wire.report_message(registration.report),
            revision=registration.revision,
            already_registered=registration.already_registered,
        )

    async def get_schema(self, request: pb.GetSchemaRequest, _context: object) -> bytes:
        """Serve GetSchema."""
        found = await self._application.get(
            requests.selector_of(request), current_call(), min_revision=request.min_revision
        )
        # A message is its fields, encoded one after the other, in any order.
        head = pb.GetSchemaResponse(revision=found.revision).SerializeToString()
        return b"\x0a" + _sized(self._encoded_version(found.version)) + head

    async def check_compatibility(
        self, request: pb.CheckCompatibilityRequest, _context: object
    ) -> pb.CheckCompatibilityResponse:
        """Serve CheckCompatibility."""
        reported = await self._application.check(
            Candidate(
                subject=request.subject,
                text=request.text,
                format=wire.format_name(request.format),
                references=wire.references_of(request.references),
                versions=tuple(request.versions),
                mode=wire.mode_of(request.mode, field="mode"),
                policy=wire.policy_of(request.policy, field="policy"),
                ignore_deleted=request.ignore_deleted,
            ),
            current_call(),
        )
        return pb.CheckCompatibilityResponse(
            report=wire.report_message(reported.report), revision=reported.revision
        )

    async def get_compatibility(
        self, request: pb.GetCompatibilityRequest, _context: object
    ) -> pb.GetCompatibilityResponse:
        """Serve GetCompatibility."""
        answer = await self._application.settings(request.subject, current_call())
        return pb.GetCompatibilityResponse(
            settings=wire.settings_message(answer.settings), revision=answer.revision
        )

    async def set_compatibility(
        self, request: pb.SetCompatibilityRequest, _context: object
    ) -> pb.SetCompatibilityResponse:
        """Serve SetCompatibility."""
        answer = await self._application.set_settings(
            request.subject, wire.settings_of(request.settings), current_call()
        )
        return pb.SetCompatibilityResponse(
            settings=wire.settings_message(answer.settings), revision=answer.revision
        )

    async def watch(
        self, request: pb.WatchRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """Serve Watch.

        A write waits for the client's flow control. One that waits too long ends the stream: the
        client resumes from the last revision it has, which only it knows.
        """
        deliveries = self._application.watch(_order(request), current_call())
        write = context.write
        try:
            async with aclosing(deliveries), WriteLimit(self._stuck_after_seconds) as limit:
                async for delivery in deliveries:
                    limit.begin()
                    await write(delivery.encoded(_encode_delivery))
                    limit.end()
        except WriteTimeoutError:
            self._end_soon()
            raise SlowWatcherError(
                f"nothing was read for {self._stuck_after_seconds:g} s; resume from the "
                "last revision you have handled",
                metadata={"seconds": f"{self._stuck_after_seconds:g}"},
                retry_after_seconds=1.0,
            ) from None

    def _end_soon(self) -> None:
        """A client that still reads gets the status; for one that does not the call is cut."""
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(_ABORT_SECONDS, task.cancel)

    def _encoded_version(self, version: Version) -> bytes:
        standing = f"{version.state} {version.deprecation_note}"
        key = (version.subject, version.version, standing)
        encoded = self._encoded.get(key)
        if encoded is None:
            encoded = wire.version_message(version).SerializeToString()
            self._encoded.put(key, encoded)
        return encoded

    def _add_to_server(self, server: grpc.aio.Server) -> None:
        unary: dict[str, tuple[type[Message], Callable[..., Any]]] = {
            "RegisterSchema": (pb.RegisterSchemaRequest, self.register_schema),
            "GetSchema": (pb.GetSchemaRequest, self.get_schema),
            "CheckCompatibility": (pb.CheckCompatibilityRequest, self.check_compatibility),
            "GetCompatibility": (pb.GetCompatibilityRequest, self.get_compatibility),
            "SetCompatibility": (pb.SetCompatibilityRequest, self.set_compatibility),
            "ApplyChangeSet": (
                change_set_pb2.ApplyChangeSetRequest,
                self._change_sets.apply_change_set,
            ),
            "DeprecateVersion": (
                life_cycle_pb2.DeprecateVersionRequest,
                self._life_cycle.deprecate_version,
            ),
            "DeleteVersion": (
                life_cycle_pb2.DeleteVersionRequest,
                self._life_cycle.delete_version,
            ),
            "RestoreVersion": (
                life_cycle_pb2.RestoreVersionRequest,
                self._life_cycle.restore_version,
            ),
            **self._reads.handlers(),
        }
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            method: grpc.unary_unary_rpc_method_handler(
                behaviour,
                request_deserializer=request.FromString,
                response_serializer=_as_bytes,
            )
            for method, (request, behaviour) in unary.items()
        }
        handlers["Watch"] = grpc.unary_stream_rpc_method_handler(
            self.watch,
            request_deserializer=pb.WatchRequest.FromString,
            response_serializer=_as_bytes,
        )
        server.add_registered_method_handlers(FULL_NAME, handlers)


def _as_bytes(answer: Message | bytes) -> bytes:
    return answer if isinstance(answer, bytes) else answer.SerializeToString()


def _sized(content: bytes) -> bytes:
    """Content behind its length, as protobuf writes the value of a message field."""
    length = len(content)
    prefix = bytearray()
    while length > 0x7F:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + content


def _encode_delivery(delivery: Delivery) -> bytes:
    head = pb.WatchResponse(
        kind=_DELIVERY_KINDS[delivery.kind],
        revision=delivery.revision,
        prev_revision=delivery.prev_revision,
        token=delivery.token,
        fragment=delivery.fragment,
        compact_revision=delivery.compact_revision,
    ).SerializeToString()
    if not delivery.events:
        return head
    return head + b"".join(b"\x2a" + _sized(event) for event in delivery.events)


def _order(request: pb.WatchRequest) -> WatchOrder:
    wanted = request.filter
    if len(wanted.subjects) > _MAX_FILTER_SUBJECTS:
        raise InvalidArgumentError.of(
            "filter.subjects",
            f"expected at most {_MAX_FILTER_SUBJECTS}, got {len(wanted.subjects)}; use a prefix",
        )
    least, usual, most = _PROGRESS_SECONDS
    progress = usual
    if request.HasField("progress_interval"):
        interval = request.progress_interval
        progress = min(max(interval.seconds + interval.nanos / 1e9, least), most)
    return WatchOrder(
        start=_start(request),
        filter=WatchFilter(
            subjects=frozenset(wanted.subjects),
            subject_prefix=wanted.subject_prefix,
            kinds=wire.kinds_of(wanted.kinds),
            actions=wire.actions_of(wanted.actions),
            states=wire.states_of(wanted.states),
            labels=require_labels(wanted.labels, field="filter.labels"),
            verdicts=wire.verdicts_of(wanted.verdicts),
        ),
        progress_seconds=progress,
        include_previous=request.include_previous,
    )


def _start(request: pb.WatchRequest) -> Start | int | WatchToken:
    match request.WhichOneof("start"):
        case "after_revision":
            if not 0 <= request.after_revision <= MAX_INSTANT_NS:
                raise InvalidArgumentError.of(
                    "after_revision", f"expected 0 or more, got {request.after_revision}"
                )
            return request.after_revision
        case "after_token":
            return WatchToken.decode(request.after_token)
        case "snapshot":
            return Start.SNAPSHOT
    return Start.NOW
