"""One watcher: a cursor into the ring or the log, and what it asked for."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from .domain.changes import Change, ChangeKind, WatchFilter
from .domain.errors import (
    DrainingError,
    EpochChangedError,
    RevisionCompactedError,
    RevisionInFutureError,
    StoreUnavailableError,
)
from .domain.tokens import WatchToken
from .domain.versions import VersionState
from .progress import ProgressTimer
from .ring import EncodedChange, EncodedRevision
from .wire import marked

if TYPE_CHECKING:
    from collections.abc import (
        AsyncGenerator,
        AsyncIterator,
        Callable,
        Iterable,
        Iterator,
        Sequence,
    )

    from tickmesh_serving.principal import Principal

    from .domain.changes import FilterTransition
    from .domain.versions import Version, VersionStanding
    from .store import Head
    from .watch import WatchHub

LOG_PAGE_CHANGES = 128
_RING_PAGE_REVISIONS = 256
_SNAPSHOT_PAGE_VERSIONS = 64
_RESPONSE_BYTES = 1 << 20
_DRAIN_SPREAD_SECONDS = 2.0
_STORE_RETRY_SECONDS = 0.5


class DeliveryKind(Enum):
    """What a delivery is."""

    EVENTS = "events"
    SNAPSHOT_PART = "snapshot_part"
    SNAPSHOT_END = "snapshot_end"
    PROGRESS = "progress"
    DRAINING = "draining"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message of a watch.

    Attributes:
        kind: What it is.
        revision: The revision it brings the watcher to.
        prev_revision: The revision of the delivery before it, 0 on the first.
        token: Where to resume after it; empty where one must not resume.
        events: Encoded changes, in order.
        fragment: Whether more of the same revision follows.
        compact_revision: The log begins after this revision.
    """

    kind: DeliveryKind
    revision: int
    prev_revision: int
    token: str
    compact_revision: int
    events: Sequence[bytes] = ()
    fragment: bool = False
    _encoded: bytes | None = field(default=None, init=False, repr=False, compare=False)

    def encoded(self, encode: Callable[[Delivery], bytes]) -> bytes:
        """Its bytes, made once for all watchers who share it."""
        if self._encoded is None:
            object.__setattr__(self, "_encoded", encode(self))
        assert self._encoded is not None
        return self._encoded


class Start(Enum):
    """Where a watch begins when no position is given."""

    NOW = "now"
    SNAPSHOT = "snapshot"


@dataclass(frozen=True, slots=True)
class WatchOrder:
    """What a watcher asks for.

    Attributes:
        start: Now, a snapshot, a revision (exclusive), or a token (exclusive).
        filter: What to deliver.
        progress_seconds: A PROGRESS at least this often.
        include_previous: Whether events carry the version before the change.
    """

    start: Start | int | WatchToken
    filter: WatchFilter = field(default_factory=WatchFilter)
    progress_seconds: float = 10.0
    include_previous: bool = False


class Authorizer(Protocol):
    """Decides what a principal may be told; asked for every change at the time of delivery."""

    def __call__(self, principal: Principal, change: Change) -> bool:
        """Say whether the principal may see the change."""


def may_see_everything(principal: Principal, change: Change) -> bool:  # noqa: ARG001
    """The authorizer of a registry without identities."""
    return True


class Feed:
    """One watcher: a cursor and what it asked for."""

    def __init__(self, hub: WatchHub, order: WatchOrder, principal: Principal) -> None:
        self._hub = hub
        self._order = order
        self._principal = principal
        self._epoch = hub.epoch
        self._cursor = 0
        self._previous = 0
        self._everything = (
            order.filter == WatchFilter()
            and not order.include_previous
            and hub.may_see is may_see_everything
        )

    async def run(self) -> AsyncGenerator[Delivery]:
        """Deliver until the registry drains; see `WatchHub.watch`."""
        hub = self._hub
        with hub.seat(), ProgressTimer(self._order.progress_seconds) as progress:
            if self._order.start is Start.SNAPSHOT:
                async for delivery in self._snapshot():
                    yield delivery
            else:
                self._cursor = await self._position(self._order.start)
                yield self._delivery(DeliveryKind.PROGRESS)
            progress.restart()
            while not hub.draining:
                self._require_epoch(hub.epoch)
                for revision in await self._available_revisions():
                    shared = self._shared(revision)
                    if shared is not None:
                        yield shared
                    else:
                        for delivery in self._events(revision):
                            yield delivery
                    self._cursor = revision.revision
                if progress.due:
                    yield self._delivery(DeliveryKind.PROGRESS)
                    progress.restart()
                if self._cursor >= hub.revision and not hub.draining:
                    waiter = hub.waiter()
                    try:
                        await progress.wait(waiter)
                    finally:
                        hub.forget(waiter)
            yield self._delivery(DeliveryKind.DRAINING)
            raise draining_error()

    async def _position(self, start: Start | int | WatchToken) -> int:
        """The revision to begin after, checked against the store itself, never the ring."""
        hub = self._hub
        head = await hub.store.head()
        if isinstance(start, WatchToken) and start.epoch != head.epoch:
            raise _epoch_changed(start.epoch, head.epoch)
        self._require_epoch(head.epoch)
        if isinstance(start, Start):
            return head.revision
        revision = start.revision if isinstance(start, WatchToken) else start
        if revision < head.compact_revision:
            raise _compacted(revision, head)
        if revision > head.revision:
            raise RevisionInFutureError.of(
                asked=revision, compacted=head.compact_revision, current=head.revision
            )
        return revision

    def _require_epoch(self, epoch: str) -> None:
        """Every revision of a watch belongs to one history: another one ends it (W9)."""
        if epoch != self._epoch:
            raise _epoch_changed(self._epoch, epoch)

    async def _available_revisions(self) -> Sequence[EncodedRevision]:
        """The next revisions; none, after a moment, while the store does not answer."""
        try:
            return await self._next_revisions()
        except StoreUnavailableError:
            await asyncio.sleep(_STORE_RETRY_SECONDS)
            return ()

    async def _next_revisions(self) -> Sequence[EncodedRevision]:
        hub = self._hub
        if self._cursor >= hub.ring.floor:
            return hub.ring.since(self._cursor, limit=_RING_PAGE_REVISIONS)
        hub.log_reads += 1
        page = await hub.store.changes_after(self._cursor, limit=LOG_PAGE_CHANGES)
        self._require_epoch(page.head.epoch)
        if self._cursor < page.head.compact_revision:
            raise _compacted(self._cursor, page.head)
        return [EncodedRevision(revision, hub.encode) for revision in page.revisions]

    def _shared(self, revision: EncodedRevision) -> Delivery | None:
        """What another watcher who may see everything and asked for it was sent at this place."""
        if not self._everything:
            return None
        known = self._hub.shared.get((revision.revision, True))
        if known is None:
            return None
        source, delivery = known
        if (
            source is not revision  # read anew from the log, it may hold less than it did
            or delivery.prev_revision != self._previous
            or delivery.compact_revision != self._hub.compact_revision
        ):
            return None
        self._previous = revision.revision
        return delivery

    def _events(self, revision: EncodedRevision) -> Iterator[Delivery]:
        matching = [
            marked(each.encoded(include_previous=self._order.include_previous), transition)
            for each in revision.changes
            if (transition := self._transition(each.change)) is not None
        ]
        if not matching:
            return
        *fragments, last = _parts(matching)
        for part in fragments:
            yield self._delivery(
                DeliveryKind.EVENTS, revision=revision.revision, events=part, fragment=True
            )
        yield self._shared_delivery(revision, last)

    async def _snapshot(self) -> AsyncIterator[Delivery]:
        """The matching versions as of one revision, then the end mark.

        The parts are read page by page, so that a slow watcher holds no database snapshot open.
        Versions registered later are left out by their revision. What can change of a version is
        its state: whatever was not plainly active at that revision is remembered from there.
        """
        async with self._hub.store.snapshot() as reader:
            head = reader.head
            self._require_epoch(head.epoch)
            standings = {
                (each.subject, each.version): each
                for each in await reader.standings(prefix=self._order.filter.subject_prefix)
            }
        pending: list[EncodedChange] = []
        pending_bytes = 0
        async for current in self._versions(head.revision):
            version = _as_of(current, standings.get((current.subject, current.version)))
            change = _as_change(version)
            if not self._order.filter.matches_version(version) or not self._hub.may_see(
                self._principal, change
            ):
                continue
            pending.append(EncodedChange(change, self._hub.encode))
            pending_bytes += len(pending[-1].plain)
            if pending_bytes >= _RESPONSE_BYTES or len(pending) >= _SNAPSHOT_PAGE_VERSIONS:
                yield self._snapshot_part(head.revision, pending)
                pending, pending_bytes = [], 0
        if pending:
            yield self._snapshot_part(head.revision, pending)
        self._cursor = head.revision
        yield self._delivery(DeliveryKind.SNAPSHOT_END)

    async def _versions(self, through: int) -> AsyncIterator[Version]:
        wanted = self._order.filter
        names: list[str | None] = [*filter(wanted.matches_subject, sorted(wanted.subjects))]
        if not wanted.subjects:
            names = [None]
        for name in names:
            after = (wanted.subject_prefix, 0) if name is None else (name, 0)
            while True:
                async with self._hub.store.snapshot() as reader:
                    self._require_epoch(reader.head.epoch)
                    page = await reader.versions_through(
                        through, after=after, limit=_SNAPSHOT_PAGE_VERSIONS
                    )
                for version in page:
                    if not wanted.matches_subject(version.subject) or (
                        name is not None and version.subject != name
                    ):
                        break
                    yield version
                else:
                    if len(page) == _SNAPSHOT_PAGE_VERSIONS:
                        after = (page[-1].subject, page[-1].version)
                        continue
                break

    def _snapshot_part(self, revision: int, changes: Iterable[EncodedChange]) -> Delivery:
        return self._delivery(
            DeliveryKind.SNAPSHOT_PART,
            revision=revision,
            events=[change.plain for change in changes],
            fragment=True,
        )

    def _transition(self, change: Change) -> FilterTransition | None:
        """How a change crosses the filter; none if it is not delivered."""
        transition = self._order.filter.transition(change)
        if transition is None or not self._hub.may_see(self._principal, change):
            return None
        return transition

    def _delivery(
        self,
        kind: DeliveryKind,
        *,
        revision: int | None = None,
        events: Sequence[bytes] = (),
        fragment: bool = False,
    ) -> Delivery:
        reached = self._cursor if revision is None else revision
        delivery = Delivery(
            kind=kind,
            revision=reached,
            prev_revision=self._previous,
            token="" if fragment else WatchToken(self._epoch, reached).encode(),
            compact_revision=self._hub.compact_revision,
            events=events,
            fragment=fragment,
        )
        self._previous = reached
        return delivery

    def _shared_delivery(self, revision: EncodedRevision, events: Sequence[bytes]) -> Delivery:
        """The end of a revision, the one that another watcher was sent if it says the same."""
        key = (revision.revision, self._everything)
        known = self._hub.shared.get(key)
        delivery = self._delivery(DeliveryKind.EVENTS, revision=revision.revision, events=events)
        if known is not None and known[1] == delivery:
            return known[1]
        self._hub.shared.put(key, (revision, delivery))
        return delivery


def _parts(events: Iterable[bytes]) -> list[list[bytes]]:
    parts: list[list[bytes]] = [[]]
    size = 0
    for event in events:
        if parts[-1] and size + len(event) > _RESPONSE_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(event)
        size += len(event)
    return parts


def _as_of(version: Version, standing: VersionStanding | None) -> Version:
    """A version read later, in the state it was in; texts removed since stay removed."""
    if standing is None:
        return replace(version, state=VersionState.ACTIVE, deprecation_note="")
    return replace(version, state=standing.state, deprecation_note=standing.deprecation_note)


def _as_change(version: Version) -> Change:
    return Change(
        revision=version.revision,
        sequence=0,
        kind=ChangeKind.VERSION_REGISTERED,
        subject=version.subject,
        schema=version,
        previous=None,
        action=version.action,
        report=None,
        settings=None,
        rejected_text=None,
        actor=version.actor,
        changed_at_ns=version.registered_at_ns,
    )


def _epoch_changed(expected: str, epoch: str) -> EpochChangedError:
    return EpochChangedError(
        "the token belongs to another store, or to the time before a restore; start a watch with a "
        "snapshot",
        metadata={"tokenEpoch": expected, "storeEpoch": epoch},
    )


def _compacted(cursor: int, head: Head) -> RevisionCompactedError:
    return RevisionCompactedError.of(
        asked=cursor, compacted=head.compact_revision, current=head.revision
    )


def draining_error() -> DrainingError:
    """What a watcher is sent away with; resuming watchers are spread over a few seconds."""
    return DrainingError(
        "the registry is going down; resume from your last token at another replica or later",
        retry_after_seconds=random.uniform(0.0, _DRAIN_SPREAD_SECONDS),  # noqa: S311
    )
