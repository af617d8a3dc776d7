"""Our own clients as watchers: they resume by themselves, and are judged by what they hand over."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.chaos.change_log import text_digest
from tests.chaos.history import SeenEvent, WatchEnded, WatchOpened, WatchResponded, now_ns
from tickmesh.async_registry import AsyncRegistryClient
from tickmesh.errors import EpochChangedError, RevisionCompactedError, TickmeshError
from tickmesh.registered import ChangeKind
from tickmesh.registry import RegistryClient
from tickmesh.watch import WatchKind, WatchMessage
from tickmesh_registry.domain.tokens import WatchToken

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from tests.chaos.history import History
    from tests.chaos.selection import Selection
    from tickmesh.registered import ChangeEvent

PROGRESS_SECONDS = 1.0


class _Recorder:
    """Turns the messages of a client into records of one long stream."""

    def __init__(self, name: str, lane: str, selection: Selection, history: History) -> None:
        self.name = name
        self.lane = lane
        self.selection = selection
        self.revision = 0
        self._history = history
        self._stream = 0

    def opened(self) -> None:
        """A watch begins with a snapshot."""
        self._stream = self._history.new_stream()
        self._history.add(
            WatchOpened(
                stream=self._stream,
                watcher=self.name,
                lane=self.lane,
                at_ns=now_ns(),
                start="snapshot",
                revision=0,
                epoch="",
                selection=self.selection,
                include_previous=False,
                progress_seconds=PROGRESS_SECONDS,
                raw=False,
            )
        )

    def take(self, message: WatchMessage) -> None:
        """A message came."""
        events = tuple(_event(event) for event in message.events)
        if message.kind is WatchKind.SNAPSHOT:
            self._add("snapshot_part", message, events=events)
            self._add("snapshot_end", message)
        else:
            self._add(message.kind.value, message, events=events)
        self.revision = message.revision

    def ended(self, error: TickmeshError | None) -> None:
        """The watch is over."""
        by, code = ("watcher", "CANCELLED") if error is None else ("server", error.code)
        reason, metadata = ("", {}) if error is None else (error.reason, dict(error.metadata))
        self._history.add(WatchEnded(self._stream, now_ns(), by, code, reason, metadata))

    def _add(self, kind: str, message: WatchMessage, *, events: tuple[SeenEvent, ...] = ()) -> None:
        part = kind == "snapshot_part"
        token = WatchToken.decode(message.token)
        self._history.add(
            WatchResponded(
                stream=self._stream,
                at_ns=now_ns(),
                kind=kind,
                revision=message.revision,
                prev_revision=0,
                token_epoch="" if part else token.epoch,
                token_revision=0 if part else token.revision,
                fragment=part,
                compact_revision=0,
                events=events,
            )
        )


class AsyncClientWatcher:
    """Watches by `AsyncRegistryClient.watch`."""

    def __init__(
        self, name: str, lane: str, address: str, selection: Selection, history: History
    ) -> None:
        self.recorder = _Recorder(name, lane, selection, history)
        self._address = address

    async def live(self) -> None:
        """Watch until cancelled."""
        recorder = self.recorder
        async with AsyncRegistryClient(self._address) as client:
            while True:
                error: TickmeshError | None = None
                recorder.opened()
                try:
                    async for message in _messages(client, recorder.selection):
                        recorder.take(message)
                except (RevisionCompactedError, EpochChangedError) as lost:
                    error = lost
                finally:
                    recorder.ended(error)


class SyncClientWatcher:
    """Watches by `RegistryClient.watch`, in a thread of its own."""

    def __init__(
        self,
        name: str,
        lane: str,
        address: str,
        selection: Selection,
        history: History,
    ) -> None:
        self.recorder = _Recorder(name, lane, selection, history)
        self._address = address
        self._stopped = threading.Event()

    async def live(self) -> None:
        """Watch until cancelled."""
        loop = asyncio.get_running_loop()
        client = RegistryClient(self._address)
        thread = loop.run_in_executor(None, self._follow, client, loop)
        try:
            await asyncio.shield(thread)
        finally:
            self._stopped.set()
            await asyncio.to_thread(client.close)
            with suppress(asyncio.CancelledError):
                await thread

    def _follow(self, client: RegistryClient, loop: asyncio.AbstractEventLoop) -> None:
        recorder = self.recorder
        while not self._stopped.is_set():
            error: TickmeshError | None = None
            loop.call_soon_threadsafe(recorder.opened)
            try:
                for message in _iterate(client, recorder.selection):
                    loop.call_soon_threadsafe(recorder.take, message)
            except (RevisionCompactedError, EpochChangedError) as lost:
                error = lost
            loop.call_soon_threadsafe(recorder.ended, error)


def _messages(client: AsyncRegistryClient, selection: Selection) -> AsyncIterator[WatchMessage]:
    return client.watch(
        subjects=selection.subjects,
        prefix=selection.prefix,
        kinds=[ChangeKind(kind) for kind in selection.kinds],
        snapshot=True,
        progress_seconds=PROGRESS_SECONDS,
    )


def _iterate(client: RegistryClient, selection: Selection) -> Iterator[WatchMessage]:
    return client.watch(
        subjects=selection.subjects,
        prefix=selection.prefix,
        kinds=[ChangeKind(kind) for kind in selection.kinds],
        snapshot=True,
        progress_seconds=PROGRESS_SECONDS,
    )


def _event(event: ChangeEvent) -> SeenEvent:
    schema = event.schema
    return SeenEvent(
        revision=event.revision,
        sequence=event.sequence,
        kind=event.kind.value,
        subject=event.subject,
        version=schema.version if schema else 0,
        previous_version=event.previous.version if event.previous else 0,
        state=schema.state.value if schema else "",
        transition="",
        digest=text_digest(schema.text if schema else event.rejected_text),
    )
