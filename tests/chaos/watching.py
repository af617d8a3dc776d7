"""A watcher that records what it sees, on a connection of its own."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio

from tests.chaos import wire_names
from tests.chaos.change_log import text_digest
from tests.chaos.history import (
    ReadingPaused,
    SeenEvent,
    WatchEnded,
    WatchOpened,
    WatchResponded,
    now_ns,
)
from tests.chaos.selection import Selection
from tickmesh._wire.limits import CLIENT_CHANNEL_OPTIONS
from tickmesh._wire.status import error_from_rpc
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as pb
from tickmesh.api.registry.v1 import schema_registry_service_pb2_grpc
from tickmesh_registry.domain.tokens import WatchToken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.chaos.history import History
    from tickmesh.api.registry.v1 import change_pb2

OWN_CONNECTION = (*CLIENT_CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))
SMALL_WINDOW = (("grpc.http2.bdp_probe", 0),)


@dataclass(frozen=True, slots=True)
class StartAt:
    """Where a watch begins: now, snapshot, after_revision or after_token."""

    kind: str
    revision: int = 0
    token: str = ""


NOW = StartAt("now")
SNAPSHOT = StartAt("snapshot")


def after(revision: int) -> StartAt:
    """After a revision."""
    return StartAt("after_revision", revision)


def after_token(token: str) -> StartAt:
    """After the position of a token."""
    return StartAt("after_token", WatchToken.decode(token).revision, token)


class Watcher:
    """Watches by the plain stub and keeps the place to resume from.

    Args:
        name: What the history calls it.
        history: Takes what it sees.
        selection: What it asks for.
        include_previous: Whether events carry the version before.
        progress_seconds: The interval it asks for.
        silence_seconds: A stream on which nothing comes for so long is given up.
    """

    def __init__(
        self,
        name: str,
        history: History,
        *,
        selection: Selection | None = None,
        include_previous: bool = False,
        progress_seconds: float = 1.0,
        silence_seconds: float = 4.0,
    ) -> None:
        self.name = name
        self.selection = selection or Selection()
        self.token = ""
        self.revision = 0
        self.kinds: list[str] = []
        self.events: list[SeenEvent] = []
        self.end: WatchEnded | None = None
        self._history = history
        self._include_previous = include_previous
        self._progress_seconds = progress_seconds
        self._silence_seconds = silence_seconds
        self._reading = asyncio.Event()
        self._reading.set()

    @property
    def resumption(self) -> StartAt:
        """Where it would go on."""
        return after_token(self.token) if self.token else SNAPSHOT

    async def watch(
        self,
        lane: str,
        address: str,
        start: StartAt,
        *,
        until: Callable[[Watcher], bool] = lambda _: False,
        seconds: float | None = None,
        options: tuple[tuple[str, Any], ...] = (),
    ) -> WatchEnded:
        """Watch until a condition holds, a time is over, or the stream ends or falls silent."""
        stream = self._open(lane, start)
        by, code, reason, metadata = "watcher", "CANCELLED", "", {}
        async with grpc.aio.insecure_channel(
            address, options=(*OWN_CONNECTION, *options)
        ) as channel:
            stub: Any = schema_registry_service_pb2_grpc.SchemaRegistryServiceStub(channel)
            call = stub.Watch(self._request(start))
            try:
                async with asyncio.timeout(seconds):
                    while not until(self):
                        await self._reading.wait()
                        response = await asyncio.wait_for(call.read(), self._silence_seconds)
                        if response is grpc.aio.EOF:
                            by, code = "server", "OK"
                            break
                        self._take(stream, response)
            except TimeoutError:
                pass
            except grpc.RpcError as failure:
                error = error_from_rpc(failure)
                by, code, reason = "server", error.code, error.reason
                metadata = dict(error.metadata)
            finally:
                call.cancel()
        self.end = WatchEnded(stream, now_ns(), by, code, reason, metadata)
        self._history.add(self.end)
        return self.end

    async def pause(self, *, seconds: float) -> None:
        """Take nothing off the open stream for a while."""
        async with self.standing_still():
            await asyncio.sleep(seconds)

    @asynccontextmanager
    async def standing_still(self) -> AsyncIterator[None]:
        """Take nothing off the open stream meanwhile."""
        stream, from_ns = self._stream, now_ns()
        self._reading.clear()
        try:
            yield
        finally:
            self._history.add(ReadingPaused(stream, from_ns, now_ns()))
            self._reading.set()

    def _open(self, lane: str, start: StartAt) -> int:
        self._stream = self._history.new_stream()
        self.end = None
        self.kinds.clear()
        epoch = WatchToken.decode(start.token).epoch if start.token else ""
        self._history.add(
            WatchOpened(
                stream=self._stream,
                watcher=self.name,
                lane=lane,
                at_ns=now_ns(),
                start=start.kind,
                revision=start.revision,
                epoch=epoch,
                selection=self.selection,
                include_previous=self._include_previous,
                progress_seconds=self._progress_seconds,
                raw=True,
            )
        )
        return self._stream

    def _request(self, start: StartAt) -> pb.WatchRequest:
        request = pb.WatchRequest(
            filter=self.selection.message(), include_previous=self._include_previous
        )
        request.progress_interval.FromNanoseconds(round(self._progress_seconds * 1e9))
        match start.kind:
            case "after_revision":
                request.after_revision = start.revision
            case "after_token":
                request.after_token = start.token
            case "snapshot":
                request.snapshot.SetInParent()
            case _:
                request.now.SetInParent()
        return request

    def _take(self, stream: int, response: pb.WatchResponse) -> None:
        seen = responded(stream, response)
        self._history.add(seen)
        self.kinds.append(seen.kind)
        self.events.extend(seen.events)
        if response.token:
            self.token = response.token
        if not response.fragment:
            self.revision = response.revision


def responded(stream: int, response: pb.WatchResponse) -> WatchResponded:
    """A response as the history keeps it."""
    token_epoch, token_revision = "", 0
    if response.token:
        token = WatchToken.decode(response.token)
        token_epoch, token_revision = token.epoch, token.revision
    return WatchResponded(
        stream=stream,
        at_ns=now_ns(),
        kind=wire_names.RESPONSE_KINDS.name(response.kind),
        revision=response.revision,
        prev_revision=response.prev_revision,
        token_epoch=token_epoch,
        token_revision=token_revision,
        fragment=response.fragment,
        compact_revision=response.compact_revision,
        events=tuple(_event(event) for event in response.events),
    )


def _event(event: change_pb2.ChangeEvent) -> SeenEvent:
    return SeenEvent(
        revision=event.revision,
        sequence=event.sequence,
        kind=wire_names.CHANGE_KINDS.name(event.kind),
        subject=event.subject,
        version=event.schema.version,
        previous_version=event.previous.version,
        state=wire_names.STATES.name(event.schema.state),
        transition=wire_names.TRANSITIONS.name(event.transition),
        digest=text_digest(event.schema.text or event.rejected_text),
    )
