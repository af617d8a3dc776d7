"""The local cache of schema versions, kept true by the change log.

A subject is loaded whole at some revision; every later event of that subject is applied to it.
Events that arrive while a load is under way wait for it, and what this client has written itself
does too. No expiry times, no polling.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

from tickmesh._registry.timeline import Timeline
from tickmesh.registered import CacheStatistics, ChangeKind, VersionState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tickmesh.registered import ChangeEvent, RegisteredSchema

_Key = TypeVar("_Key", int, str)

MOST_SUBJECTS = 10_000
MOST_SINGLE_VERSIONS = 10_000


class _Loads:
    """The loads of one subject that are under way, and what they do not know yet.

    The one that ends last may have asked first: each is given all that came since the first began.
    """

    __slots__ = ("news", "under_way")

    def __init__(self) -> None:
        self.under_way = 0
        self.news: list[tuple[RegisteredSchema, int]] = []


_VERSION_KINDS = frozenset(
    {
        ChangeKind.VERSION_REGISTERED,
        ChangeKind.VERSION_DEPRECATED,
        ChangeKind.VERSION_DELETED,
        ChangeKind.VERSION_RESTORED,
    }
)


class SchemaCache:
    """Timelines by subject, and single versions by id and fingerprint.

    Reads take no lock: timelines are replaced, never changed. Writes take `_lock`.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self._lock = threading.Lock()
        self._timelines: OrderedDict[str, Timeline] = OrderedDict()
        self._loading: dict[str, _Loads] = {}
        self._by_id: OrderedDict[int, RegisteredSchema] = OrderedDict()
        self._by_fingerprint: OrderedDict[str, RegisteredSchema] = OrderedDict()
        self._hits = 0
        self._misses = 0
        self._revision = 0
        self._stale_since_ns: int | None = None

    def timeline(self, subject: str) -> Timeline | None:
        """The subject's versions, if loaded; counts a hit or a miss."""
        found = self._timelines.get(subject)
        if found is None:
            self._misses += 1
        else:
            self._hits += 1
        return found

    def holds(self, subject: str) -> bool:
        """Whether the subject's versions are loaded; counts nothing."""
        return subject in self._timelines

    def by_id(self, schema_id: int) -> RegisteredSchema | None:
        """A version that carries the schema id, if one is held."""
        return self._count(self._by_id.get(schema_id))

    def by_fingerprint(self, fingerprint: str) -> RegisteredSchema | None:
        """A version that carries the fingerprint, if one is held."""
        return self._count(self._by_fingerprint.get(fingerprint))

    def subjects(self) -> list[str]:
        """The subjects that are loaded."""
        with self._lock:
            return list(self._timelines)

    def begin_load(self, subject: str) -> None:
        """Let the events of `subject` wait until `finish_load` or `abandon_load`."""
        with self._lock:
            self._loading.setdefault(subject, _Loads()).under_way += 1

    def abandon_load(self, subject: str) -> None:
        """Forget a load that failed."""
        with self._lock:
            self._end_load(subject)

    def finish_load(
        self, subject: str, versions: Iterable[RegisteredSchema], *, revision: int
    ) -> Timeline:
        """Hold the versions of `subject` as of `revision`, with the events that waited applied."""
        with self._lock:
            timeline = Timeline(subject, versions, revision)
            for schema, known_at in self._end_load(subject):
                timeline = _with_news(timeline, schema, revision=known_at)
            self._hold(timeline)
            return timeline

    def apply(self, event: ChangeEvent) -> Timeline | None:
        """Take up a change; returns the subject's new timeline if it is held and changed."""
        with self._lock:
            self._revision = max(self._revision, event.revision)
            if event.schema is None or event.kind not in _VERSION_KINDS:
                return None
            self._tell_loads(event.schema, revision=event.revision)
            timeline = self._timelines.get(event.subject)
            if timeline is None:
                return None
            changed = _with_news(timeline, event.schema, revision=event.revision)
            if changed is timeline:
                return None
            self._hold(changed)
            return changed

    def add(self, schema: RegisteredSchema, *, revision: int) -> None:
        """Hold a version as this client has just seen it, so that it reads its own writes."""
        with self._lock:
            self._hold_single(schema)
            self._tell_loads(schema, revision=revision)
            timeline = self._timelines.get(schema.subject)
            if timeline is not None:
                self._hold(timeline.with_version(schema, revision=revision))

    def forget(self) -> None:
        """Drop every timeline: the change log can no longer keep them true."""
        with self._lock:
            self._timelines.clear()

    def connected(self, revision: int) -> None:
        """The change log is being followed and has been read up to `revision`."""
        self._revision = max(self._revision, revision)
        self._stale_since_ns = None

    def disconnected(self, now_ns: int) -> None:
        """The change log is not being followed since `now_ns`, or longer."""
        if self._stale_since_ns is None:
            self._stale_since_ns = now_ns

    def statistics(self) -> CacheStatistics:
        """How the cache is doing."""
        return CacheStatistics(
            hits=self._hits,
            misses=self._misses,
            subjects=len(self._timelines),
            revision=self._revision,
            stale_since_ns=self._stale_since_ns,
        )

    def _count(self, found: RegisteredSchema | None) -> RegisteredSchema | None:
        if found is None:
            self._misses += 1
        else:
            self._hits += 1
        return found

    def _tell_loads(self, schema: RegisteredSchema, *, revision: int) -> None:
        loads = self._loading.get(schema.subject)
        if loads is not None:
            loads.news.append((schema, revision))

    def _end_load(self, subject: str) -> Iterable[tuple[RegisteredSchema, int]]:
        """What came since the first of the loads under way began."""
        loads = self._loading.get(subject)
        if loads is None:
            return ()
        loads.under_way -= 1
        if loads.under_way == 0:
            del self._loading[subject]
        return loads.news

    def _hold(self, timeline: Timeline) -> None:
        self._timelines[timeline.subject] = timeline
        while len(self._timelines) > MOST_SUBJECTS:
            self._timelines.popitem(last=False)
        for schema in timeline.by_version.values():
            self._hold_single(schema)

    def _hold_single(self, schema: RegisteredSchema) -> None:
        _hold_earliest(self._by_id, schema.schema_id, schema)
        _hold_earliest(self._by_fingerprint, schema.fingerprint, schema)


def _hold_earliest(
    held: OrderedDict[_Key, RegisteredSchema], key: _Key, schema: RegisteredSchema
) -> None:
    """Hold a version unless another one is held for the key; one with a text goes first."""
    before = held.get(key)
    if (
        before is None
        or (before.subject, before.version) == (schema.subject, schema.version)
        or before.state is VersionState.REMOVED
    ):
        held[key] = schema
    if len(held) > MOST_SINGLE_VERSIONS:
        held.popitem(last=False)


def _with_news(timeline: Timeline, schema: RegisteredSchema, *, revision: int) -> Timeline:
    """What the timeline reflects already is no news."""
    if revision <= timeline.revision:
        return timeline
    return timeline.with_version(schema, revision=revision)
