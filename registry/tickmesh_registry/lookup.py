"""Finding versions: by number, latest, in force, by id and by fingerprint.

Versions never change but in their state, so they are cached for as long as they fit; what chooses
among them is cached until this process publishes a change of the subject.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .cache import BoundedCache, CacheTier
from .domain.bounds import MAX_INSTANT_NS, require_subject
from .domain.errors import (
    InvalidArgumentError,
    NothingInForceError,
    RegistryError,
    SchemaNotFoundError,
    StoreUnavailableError,
    SubjectNotFoundError,
    VersionNotFoundError,
)
from .domain.versions import latest_version, version_in_force

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tickmesh_serving.clock import Clock

    from .domain.changes import Revision
    from .domain.versions import Version, VersionTimes
    from .shared_versions import SharedVersions
    from .store import Reader, SchemaStore
    from .watch import WatchHub

_CACHED_VERSION_BYTES = 64 << 20
_CACHED_SUBJECTS = 100_000
_ENTRY_BYTES = 1_024
_SELECTION_BYTES = 128


@dataclass(frozen=True, slots=True)
class ByNumber:
    """A version of a subject by its number."""

    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class Latest:
    """The highest version of a subject that is not deleted."""

    subject: str


@dataclass(frozen=True, slots=True)
class InForce:
    """The version in force at an instant, as known at another; none means now."""

    subject: str
    at_ns: int | None = None
    known_at_ns: int | None = None


@dataclass(frozen=True, slots=True)
class BySchemaId:
    """The earliest version that carries a schema id."""

    schema_id: int


@dataclass(frozen=True, slots=True)
class ByFingerprint:
    """The earliest version that carries a fingerprint."""

    fingerprint: str


Selector = ByNumber | Latest | InForce | BySchemaId | ByFingerprint


@dataclass(frozen=True, slots=True)
class Found:
    """A version, and the revision this answer reflects."""

    version: Version
    revision: int


@dataclass(frozen=True, slots=True)
class FoundMany:
    """Versions, or why there is none, and the revision these answers reflect."""

    answers: tuple[Version | RegistryError, ...]
    revision: int


class Lookup:
    """Answers from memory where what is known there is current, else from the store."""

    def __init__(
        self,
        store: SchemaStore,
        hub: WatchHub,
        clock: Clock,
        *,
        shared: SharedVersions | None = None,
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._shared = shared
        self.versions: BoundedCache[tuple[str, int], Version] = BoundedCache(
            max_weight=_CACHED_VERSION_BYTES, weigh=_weight
        )
        self._times: BoundedCache[str, tuple[VersionTimes, ...]] = BoundedCache(
            max_weight=_CACHED_SUBJECTS, weigh=len
        )
        self._earliest: BoundedCache[int | str, tuple[str, int]] = BoundedCache(
            max_weight=_CACHED_SUBJECTS, weigh=lambda _: 1
        )
        hub.on_publish(self._published)
        hub.on_jump(self._forget)

    def cache_tiers(self) -> tuple[CacheTier, ...]:
        """How what is kept here is doing."""
        return (
            CacheTier.of("versions", self.versions),
            CacheTier.of("selections", self._times, weight_bytes=_SELECTION_BYTES),
            *(() if self._shared is None else (self._shared.tier(),)),
        )

    async def get(
        self, selector: Selector, *, min_revision: int = 0, deadline_ns: int | None = None
    ) -> Found:
        """Find a version.

        Args:
            selector: Which one.
            min_revision: The answer reflects at least this revision; waits for it.
            deadline_ns: Until when to wait.

        Raises:
            InvalidArgumentError: The selector is malformed.
            SubjectNotFoundError: The subject has no versions.
            VersionNotFoundError: It has no such version.
            NothingInForceError: None is in force at the instant asked.
            SchemaNotFoundError: No schema has the id or fingerprint.
            DeadlineExceededError: The revision was not reached in time.
        """
        if min_revision > self._hub.revision:
            await self._hub.wait_for(min_revision, deadline_ns=deadline_ns)
        selector = self._checked(selector)
        revision = self._hub.revision
        version = self._from_memory(selector)
        if version is not None:
            return Found(version, revision)
        version = await self._from_shared(selector)
        if version is not None:
            return Found(version, self._hub.revision)
        async with self._store.snapshot() as reader:
            version = await self._from_store(reader, selector)
            revision = reader.head.revision
        return Found(version, revision)

    async def get_many(
        self,
        selectors: Sequence[Selector],
        *,
        min_revision: int = 0,
        deadline_ns: int | None = None,
    ) -> FoundMany:
        """Find many versions, all as of one revision; what cannot be found fails alone.

        Args:
            selectors: Which ones.
            min_revision: The answers reflect at least this revision; waits for it.
            deadline_ns: Until when to wait.

        Raises:
            DeadlineExceededError: The revision was not reached in time.
            StoreUnavailableError: The store does not answer.
        """
        if min_revision > self._hub.revision:
            await self._hub.wait_for(min_revision, deadline_ns=deadline_ns)
        # Nothing is awaited here: what memory holds belongs to one revision.
        revision = self._hub.revision
        answers = [self._answer_from_memory(selector) for selector in selectors]
        if None in answers:
            async with self._store.snapshot() as reader:
                revision = reader.head.revision
                if revision != self._hub.revision:
                    answers = [None] * len(selectors)
                for place, known in enumerate(answers):
                    if known is None:
                        answers[place] = await self._answer_from_store(reader, selectors[place])
        return FoundMany(tuple(answer for answer in answers if answer is not None), revision)

    def _answer_from_memory(self, selector: Selector) -> Version | RegistryError | None:
        try:
            return self._from_memory(self._checked(selector))
        except RegistryError as error:
            return error

    async def _answer_from_store(
        self, reader: Reader, selector: Selector
    ) -> Version | RegistryError:
        try:
            return await self._from_store(reader, self._checked(selector))
        except StoreUnavailableError:
            raise
        except RegistryError as error:
            return error

    def _checked(self, selector: Selector) -> Selector:
        match selector:
            case BySchemaId(schema_id):
                if schema_id < 1:
                    raise InvalidArgumentError.of("schema_id", f"expected 1 or more: {schema_id}")
            case ByFingerprint(fingerprint):
                if not 1 <= len(fingerprint) <= 64 or not fingerprint.isalnum():
                    raise InvalidArgumentError.of("fingerprint", "expected 64 hexadecimal digits")
            case ByNumber(subject, version):
                require_subject(subject)
                if version < 1:
                    raise InvalidArgumentError.of("version", f"expected 1 or more: {version}")
            case Latest(subject):
                require_subject(subject)
            case InForce(subject, at_ns, known_at_ns):
                require_subject(subject)
                now_ns = self._clock.now_ns()
                return InForce(
                    subject,
                    now_ns if at_ns is None else at_ns,
                    MAX_INSTANT_NS if known_at_ns is None else known_at_ns,
                )
        return selector

    def _from_memory(self, selector: Selector) -> Version | None:
        match selector:
            case ByNumber(subject, version):
                return self.versions.get((subject, version))
            case BySchemaId(key) | ByFingerprint(key):
                earliest = self._earliest.get(key)
                return None if earliest is None else self.versions.get(earliest)
            case Latest(subject) | InForce(subject):
                times = self._times.get(subject)
                if times is None:
                    return None
                return self.versions.get((subject, _choose(selector, times)))

    async def _from_shared(self, selector: Selector) -> Version | None:
        """What the second tier holds, as of the revision published here when this returns."""
        if self._shared is None:
            return None
        match selector:
            case ByNumber(subject, number):
                return await self._content_from_shared(subject, number)
            case BySchemaId(key) | ByFingerprint(key):
                earliest = await self._shared.earliest(key)
                if earliest is None:
                    return None
                version = self.versions.get(earliest)
                if version is None:
                    version = await self._content_from_shared(*earliest)
                if version is None or key not in (version.schema_id, version.fingerprint):
                    return None
                self._earliest.put(key, earliest)
                return version
        return None

    async def _content_from_shared(self, subject: str, number: int) -> Version | None:
        assert self._shared is not None
        version = await self._shared.by_number(subject, number)
        if version is not None:
            self.versions.put((subject, number), version)
        return version

    async def _from_store(self, reader: Reader, selector: Selector) -> Version:
        match selector:
            case ByNumber(subject, number):
                version = await reader.version(subject, number)
                if version is None:
                    if (await reader.subject(subject)).version_count == 0:
                        raise SubjectNotFoundError.of(subject)
                    raise VersionNotFoundError.of(subject, number)
            case BySchemaId(schema_id):
                version = await reader.version_with_schema_id(schema_id)
                if version is None:
                    raise SchemaNotFoundError.of("schemaId", str(schema_id))
            case ByFingerprint(fingerprint):
                version = await reader.version_with_fingerprint(fingerprint)
                if version is None:
                    raise SchemaNotFoundError.of("fingerprint", fingerprint)
            case Latest(subject) | InForce(subject):
                times = await reader.version_times(subject)
                if not times:
                    raise SubjectNotFoundError.of(subject)
                if self._hub.stands_at(reader.head):
                    self._times.put(subject, times)
                version = await reader.version(subject, _choose(selector, times))
                assert version is not None
        if self._hub.stands_at(reader.head):
            # Otherwise a change of its state could have been published already.
            self._remember(selector, version)
        if self._shared is not None:
            self._shared.offer(version)
        return version

    def _remember(self, selector: Selector, version: Version) -> None:
        self.versions.put((version.subject, version.version), version)
        if isinstance(selector, BySchemaId):
            self._remember_earliest(selector.schema_id, version)
        elif isinstance(selector, ByFingerprint):
            self._remember_earliest(selector.fingerprint, version)

    def _remember_earliest(self, key: int | str, version: Version) -> None:
        self._earliest.put(key, (version.subject, version.version))
        if self._shared is not None:
            self._shared.offer_earliest(key, version)

    def _published(self, revision: Revision) -> None:
        for change in revision.changes:
            if change.schema is not None:
                self._times.discard(change.subject)
                self._earliest.discard(change.schema.schema_id)
                self._earliest.discard(change.schema.fingerprint)
                self.versions.put((change.subject, change.schema.version), change.schema)

    def _forget(self) -> None:
        self.versions.clear()
        self._times.clear()
        self._earliest.clear()


def _choose(selector: Latest | InForce, times: tuple[VersionTimes, ...]) -> int:
    if isinstance(selector, Latest):
        number = latest_version(times)
        if number == 0:
            raise SubjectNotFoundError.of(selector.subject)
        return number
    assert selector.at_ns is not None
    assert selector.known_at_ns is not None
    number = version_in_force(times, at_ns=selector.at_ns, known_at_ns=selector.known_at_ns)
    if number == 0:
        raise NothingInForceError(
            f"no version of {selector.subject!r} is in force at the instant asked, as known then; "
            "ask for a later instant, or list the versions with their times",
            metadata={
                "subject": selector.subject,
                "atNs": str(selector.at_ns),
                "knownAtNs": str(selector.known_at_ns),
            },
            resource=("version", selector.subject),
        )
    return number


def _weight(version: Version) -> int:
    return _ENTRY_BYTES + len(version.text) + len(version.canonical_text)
