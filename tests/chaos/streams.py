"""One watch stream of a history, put together from its records."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chaos.history import SeenEvent, WatchEnded, WatchOpened, WatchResponded

WHOLE_KINDS = ("events", "progress", "snapshot_end", "draining")
MARKS = ("progress", "snapshot_end", "draining")


class Stream:
    """A watch from its request to its end."""

    def __init__(self, opened: WatchOpened) -> None:
        self.opened = opened
        self.responses: list[WatchResponded] = []
        self.end: WatchEnded | None = None
        self.pauses: list[tuple[int, int]] = []

    @property
    def name(self) -> str:
        """What violations call it."""
        return f"{self.opened.watcher}#{self.opened.stream}"

    @cached_property
    def start(self) -> int | None:
        """The revision after which events are due; None when the stream never said it."""
        if self.opened.start in ("after_revision", "after_token"):
            return self.opened.revision
        if self.opened.start == "now":
            return self.responses[0].revision if self.responses else None
        return next((r.revision for r in self.responses if r.kind == "snapshot_end"), None)

    @cached_property
    def delivered_keys(self) -> dict[tuple[int, int], int]:
        """When each event (revision, sequence) came first, snapshot parts apart."""
        keys: dict[tuple[int, int], int] = {}
        for response, event in self.followed():
            keys.setdefault((event.revision, event.sequence), response.at_ns)
        return keys

    def followed(self) -> Iterator[tuple[WatchResponded, SeenEvent]]:
        """Events with the response that brought them, snapshot parts apart."""
        for response in self.responses:
            if response.kind == "events":
                for event in response.events:
                    yield response, event

    def snapshot(self) -> Iterator[tuple[WatchResponded, SeenEvent]]:
        """The events of snapshot parts."""
        for response in self.responses:
            if response.kind == "snapshot_part":
                for event in response.events:
                    yield response, event

    @cached_property
    def closed_ns(self) -> int:
        """When the last sign of it came."""
        if self.end is not None:
            return self.end.at_ns
        return self.responses[-1].at_ns if self.responses else self.opened.at_ns
