"""Clients of the schema registry, with a local cache that one background watch keeps true."""

from __future__ import annotations

import threading
import time
import uuid
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, TypeVar

import grpc

from tickmesh._registry import reading, requests
from tickmesh._registry.cache import SchemaCache
from tickmesh._registry.cache_files import CacheFiles
from tickmesh._registry.messages import (
    registration_from_wire,
    report_from_wire,
    schema_from_wire,
    schema_to_wire,
    settings_from_wire,
    subject_from_wire,
)
from tickmesh._registry.watch_connection import WatchConnection
from tickmesh._wire.credentials import ClientCredentials, credentials_of, open_channel
from tickmesh._wire.metadata import REQUEST_ID
from tickmesh._wire.status import error_from_rpc
from tickmesh.api.registry.v1 import life_cycle_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as wire
from tickmesh.api.registry.v1.schema_registry_service_pb2_grpc import SchemaRegistryServiceStub
from tickmesh.config import load_client_config
from tickmesh.errors import (
    DeadlineExceededError,
    EpochChangedError,
    NotFoundError,
    RevisionCompactedError,
    TickmeshError,
    UnavailableError,
)
from tickmesh.proposals import ChangeSetOutcome
from tickmesh.registered import Knowledge, update_from_event
from tickmesh.watch import WatchCursor, follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tickmesh._registry.messages import VersionAnswer
    from tickmesh._registry.reading import PagedRequest, PageOfAnswer
    from tickmesh._registry.timeline import Timeline
    from tickmesh.api.registry.v1 import schema_pb2
    from tickmesh.config import ClientConfig
    from tickmesh.proposals import DataReport, PolicyChange, SchemaProposal
    from tickmesh.registered import (
        CacheStatistics,
        CacheTier,
        ChangeKind,
        CompatibilitySettings,
        FieldCondition,
        RegisteredSchema,
        Registration,
        SchemaComparison,
        SchemaHit,
        SchemaUpdate,
        SubjectSummary,
        TimelineSpan,
        UndecidedPolicy,
        VersionState,
    )
    from tickmesh.schema import CompatibilityReport, Mode, Policy, Verdict
    from tickmesh.watch import SyncWatchCall, WatchMessage

_Answer = TypeVar("_Answer")
_Page = TypeVar("_Page", bound="PageOfAnswer")
_Request = TypeVar("_Request")
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_REFERENCES: Mapping[str, tuple[str, int]] = MappingProxyType({})

DEFAULT_TIMEOUT_SECONDS = 10.0


class RegistryClient:
    """The registry from threads: every call blocks; a client may be shared by threads.

    Reads of versions go through a local cache. The first read of a subject loads all its versions;
    from then on one background watch applies every change, so an answer lags the registry by one
    delivery of that watch. `cache_statistics().stale_since_ns` says since when the watch is down;
    what is held goes on being answered. With a `cache_directory` it survives a restart as well.

    Every method raises a subclass of `tickmesh.errors.TickmeshError`.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        credentials: ClientCredentials | None = None,
        config: ClientConfig | None = None,
        cache_directory: Path | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        """Connect lazily to `address`, or to the one configured.

        Args:
            address: `host:port`.
            credentials: TLS files and a token provider; those configured when None.
            config: the client's settings; loaded when None.
            cache_directory: where timelines are kept across restarts; nowhere when None.
            timeout_seconds: the deadline of each unary call.
        """
        config = config or load_client_config()
        self.address = address or config.registry
        self._timeout_seconds = timeout_seconds
        self._credentials = credentials or credentials_of(config)
        self._call_attempts = config.call_attempts
        self._channel = self._open_channel()
        self._stub = SchemaRegistryServiceStub(self._channel)
        self._cache = SchemaCache()
        self._files = CacheFiles(cache_directory) if cache_directory else None
        self._from_files: set[str] = set()
        self._loads: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._listeners: list[Callable[[SchemaUpdate], None]] = []
        self._stopped = threading.Event()
        self._calls: set[SyncWatchCall] = set()
        self._follower: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the background watch and the connection. Safe to call twice."""
        self._stopped.set()
        with self._lock:
            calls = list(self._calls)
            follower = self._follower
        for call in calls:
            call.cancel()
        if follower is not None and follower is not threading.current_thread():
            follower.join(timeout=self._timeout_seconds)
        self._channel.close()

    # Reading versions ----------------------------------------------------------------------

    def get(self, subject: str, *, version: int) -> RegisteredSchema:
        """One version of a subject, whatever its state."""
        found = self._timeline(subject).by_version.get(version)
        if found is not None:
            return found
        answer = self._call(self._stub.GetSchema, requests.version_request(subject, version))
        return self._held(answer)

    def latest(self, subject: str) -> RegisteredSchema:
        """The highest version of a subject that is not deleted."""
        found = self._timeline(subject).latest()
        if found is None:
            message = f"expected a version of {subject!r}, but all of them are deleted"
            raise NotFoundError(message, reason="VERSION_NOT_FOUND")
        return found

    def in_force(
        self, subject: str, *, at_ns: int | None = None, known_at_ns: int | None = None
    ) -> RegisteredSchema:
        """The version in force at an instant, as known at another; both default to now.

        A backtest asks with both set to the event time, and never sees a future schema.
        """
        timeline = self._timeline(subject)
        now_ns = time.time_ns()
        if at_ns is None and known_at_ns is None:
            found = timeline.in_force_now(now_ns)
        else:
            found = timeline.in_force(
                at_ns=now_ns if at_ns is None else at_ns,
                known_at_ns=now_ns if known_at_ns is None else known_at_ns,
            )
        if found is None:
            message = f"no version of {subject!r} is in force at the instant asked"
            raise NotFoundError(message, reason="NOTHING_IN_FORCE")
        return found

    def by_id(self, schema_id: int) -> RegisteredSchema:
        """The earliest version that carries a schema id."""
        found = self._cache.by_id(schema_id)
        if found is not None:
            return found
        request = wire.GetSchemaRequest(schema_id=schema_id)
        return self._held(self._call(self._stub.GetSchema, request))

    def by_fingerprint(self, fingerprint: str) -> RegisteredSchema:
        """The earliest version that carries a fingerprint."""
        found = self._cache.by_fingerprint(fingerprint)
        if found is not None:
            return found
        request = wire.GetSchemaRequest(fingerprint=fingerprint)
        return self._held(self._call(self._stub.GetSchema, request))

    def get_many(self, names: Sequence[tuple[str, int]]) -> list[RegisteredSchema | TickmeshError]:
        """Many versions by (subject, version), in order; past the local cache.

        What cannot be answered is not raised: its error stands in its place. Each hundred is
        answered as of one registry revision.
        """
        found: dict[tuple[str, int], RegisteredSchema | TickmeshError] = {}
        waiting = list(dict.fromkeys(names))
        while waiting:
            asked = waiting[: reading.BATCH_SIZE]
            answer = self._call(self._stub.BatchGetSchemas, reading.batch_request(asked))
            again = []
            for name, result in zip(asked, answer.results, strict=True):
                if reading.is_too_large(result):
                    again.append(name)
                elif result.HasField("error"):
                    found[name] = reading.batch_error(result.error)
                else:
                    schema = self._complete(result.schema)
                    self._cache.add(schema, revision=answer.revision)
                    found[name] = schema
            waiting = [*again, *waiting[reading.BATCH_SIZE :]]
        return [found[name] for name in names]

    def versions(
        self, subject: str, *, where: str = "", order_by: str = ""
    ) -> tuple[RegisteredSchema, ...]:
        """Every version of a subject, ascending; with a filter or an order, past the local cache.

        Args:
            subject: the subject.
            where: a filter as docs/filters.md has it, for example `state = active`.
            order_by: `version` or `effective_from`, with ` desc` for the highest first.
        """
        if not (where or order_by):
            return tuple(self._timeline(subject).by_version.values())
        request = reading.filtered_versions_request(subject, where=where, order_by=order_by)
        return tuple(
            self._complete(version)
            for answer in self._pages(self._stub.ListVersions, request)
            for version in answer.versions
        )

    def refresh(self, subject: str) -> None:
        """Read a subject anew, so that every change committed before this call is seen.

        While the registry is away, what is held stays and goes on being answered.
        """
        held = self._cache.holds(subject)
        try:
            self._fetch(subject)
        except (UnavailableError, DeadlineExceededError):
            if not held:
                self._timeline(subject)

    def subjects(
        self, *, prefix: str = "", where: str = "", order_by: str = ""
    ) -> list[SubjectSummary]:
        """Every subject whose name begins with `prefix`, in order of names unless asked otherwise.

        Args:
            prefix: how names begin.
            where: a filter as docs/filters.md has it, for example `version_count > 1`.
            order_by: `name`, `revision` or `version_count`, with ` desc` for the highest first.
        """
        request = reading.subjects_request(prefix=prefix, where=where, order_by=order_by)
        return [
            subject_from_wire(subject)
            for answer in self._pages(self._stub.ListSubjects, request)
            for subject in answer.subjects
        ]

    def search(
        self,
        *fields: FieldCondition,
        where: str = "",
        latest_only: bool = False,
    ) -> Iterator[SchemaHit]:
        """Find versions that have a field for every condition, in order of subject and version.

        Args:
            fields: the conditions; none asks nothing of fields.
            where: a filter as docs/filters.md has it, for example `labels.team = equities`.
            latest_only: look at the latest version of each subject only.
        """
        request = reading.search_request(fields, where=where, latest_only=latest_only)
        for answer in self._pages(self._stub.SearchSchemas, request):
            for hit in answer.hits:
                yield reading.hit_from_wire(hit, schema=self._complete(hit.schema))

    def diff(
        self, before: reading.ComparedSchema, after: reading.ComparedSchema
    ) -> SchemaComparison:
        """Say what changes between two schemas, and what becomes of every column.

        Args:
            before: a version, (subject, version), or a text that need not be registered.
            after: the same.
        """
        request = reading.difference_request(before, after)
        return reading.comparison_from_wire(self._call(self._stub.DiffSchemas, request))

    def get_timeline(
        self,
        subject: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        knowledge: Knowledge = Knowledge.NOW,
        known_at_ns: int | None = None,
    ) -> list[TimelineSpan]:
        """Say which version of a subject is in force when, in order of time.

        Args:
            subject: the subject.
            start_ns: from when on, inclusive; from the beginning when None.
            end_ns: until when, exclusive; without end when None.
            knowledge: as of when registrations count.
            known_at_ns: the instant for AT_INSTANT.
        """
        request = reading.timeline_request(
            subject,
            start_ns=start_ns,
            end_ns=end_ns,
            knowledge=knowledge,
            known_at_ns=known_at_ns,
        )
        return [
            reading.span_from_wire(span, schema=self._complete(span.schema))
            for answer in self._pages(self._stub.GetTimeline, request)
            for span in answer.spans
        ]

    # Registering and judging ---------------------------------------------------------------

    def register(
        self,
        subject: str,
        text: str,
        *,
        references: Mapping[str, tuple[str, int]] = _NO_REFERENCES,
        labels: Mapping[str, str] = _NOTHING,
        effective_from_ns: int | None = None,
        expected_version: int | None = None,
        request_id: str | None = None,
        dry_run: bool = False,
        allow_breaking: bool = False,
        ignore_deleted: bool = False,
        data_report: DataReport | None = None,
    ) -> Registration:
        """Propose a schema for a subject and register it when compatibility allows.

        Args:
            subject: the subject; its first registration creates it.
            text: JSON Schema, draft 2020-12 or draft-07.
            references: `$ref` name → (subject, version).
            labels: free labels.
            effective_from_ns: from when on it is in force; now when None.
            expected_version: the latest version must be this one; 0 for a new subject.
            request_id: makes a retry of yours safe; retries made here are safe in any case.
            dry_run: judge only.
            allow_breaking: register in spite of the verdict; a permission of its own.
            ignore_deleted: leave soft-deleted versions out of the comparison.
            data_report: what was found in data; kept with the version as evidence.

        Raises:
            IncompatibleSchemaError: the verdict refuses it; carries the witnesses.
            InvalidArgumentError: the text is no schema; names the JSON Pointer.
            ConflictError: `expected_version` is not the latest version.
        """
        request = requests.register_request(
            subject,
            text,
            references=references,
            labels=labels,
            effective_from_ns=effective_from_ns,
            expected_version=expected_version,
            request_id=request_id,
            dry_run=dry_run,
            allow_breaking=allow_breaking,
            ignore_deleted=ignore_deleted,
            data_report=data_report,
        )
        answer = self._call(self._stub.RegisterSchema, request)
        schema = self._complete(answer.schema) if dry_run else self._held(answer)
        return registration_from_wire(answer, schema=schema)

    def check(
        self,
        subject: str,
        text: str,
        *,
        references: Mapping[str, tuple[str, int]] = _NO_REFERENCES,
        versions: Sequence[int] = (),
        mode: Mode | None = None,
        policy: Policy | None = None,
        ignore_deleted: bool = False,
    ) -> CompatibilityReport:
        """Judge a candidate against registered versions, without writing."""
        request = requests.check_request(
            subject,
            text,
            references=references,
            versions=versions,
            mode=mode,
            policy=policy,
            ignore_deleted=ignore_deleted,
        )
        return report_from_wire(self._call(self._stub.CheckCompatibility, request).report)

    def compatibility(self, subject: str | None = None) -> CompatibilitySettings:
        """The settings in effect for a subject, or the global ones for None."""
        request = wire.GetCompatibilityRequest(subject=subject or "")
        return settings_from_wire(self._call(self._stub.GetCompatibility, request).settings)

    def set_compatibility(
        self,
        subject: str | None = None,
        *,
        mode: Mode | None = None,
        policy: Policy | None = None,
        undecided: UndecidedPolicy | None = None,
    ) -> CompatibilitySettings:
        """Set a subject's settings, or the global ones; None returns one to the inherited value."""
        request = requests.settings_request(subject, mode=mode, policy=policy, undecided=undecided)
        return settings_from_wire(self._call(self._stub.SetCompatibility, request).settings)

    # Life cycles and change sets ------------------------------------------------------------

    def deprecate(self, subject: str, *, version: int, note: str = "") -> RegisteredSchema:
        """Mark a version as one that new writers should leave; `note` says what to use instead.

        Raises:
            FailedPreconditionError: it is deleted, or removed for good.
        """
        request = life_cycle_pb2.DeprecateVersionRequest(
            subject=subject, version=version, note=note
        )
        return self._held(self._call(self._stub.DeprecateVersion, request))

    def delete(self, subject: str, *, version: int) -> RegisteredSchema:
        """Hide a version from latest and in force; `restore` brings it back."""
        request = life_cycle_pb2.DeleteVersionRequest(subject=subject, version=version)
        return self._held(self._call(self._stub.DeleteVersion, request))

    def remove(self, subject: str, *, version: int) -> RegisteredSchema:
        """Remove the text of a soft-deleted version for good; needs a permission of its own.

        Number, schema id and fingerprint stay as a tombstone. There is no way back.

        Raises:
            FailedPreconditionError: it is not soft-deleted, or other versions refer to it.
        """
        request = life_cycle_pb2.DeleteVersionRequest(
            subject=subject, version=version, permanent=True
        )
        return self._held(self._call(self._stub.DeleteVersion, request))

    def restore(self, subject: str, *, version: int) -> RegisteredSchema:
        """Make a soft-deleted or deprecated version active again.

        Raises:
            FailedPreconditionError: it was removed for good.
        """
        request = life_cycle_pb2.RestoreVersionRequest(subject=subject, version=version)
        return self._held(self._call(self._stub.RestoreVersion, request))

    def apply_change_set(
        self,
        items: Sequence[SchemaProposal | PolicyChange],
        *,
        request_id: str | None = None,
        dry_run: bool = False,
    ) -> ChangeSetOutcome:
        """Register versions and change policies as one revision, all or nothing.

        Later items see what earlier ones did. Errors name the item in `metadata["item"]` and in
        the fields of their violations.

        Args:
            items: 1 to 100, at most one registration and one policy change a subject.
            request_id: makes a retry of yours safe; retries made here are safe in any case.
            dry_run: judge only.

        Raises:
            IncompatibleSchemaError: a verdict refuses an item; nothing was written.
            InvalidArgumentError: a field is out of bounds, or a text is no schema.
            ConflictError: an `expected_version` is not the latest version.
        """
        request = requests.change_set_request(items, request_id=request_id, dry_run=dry_run)
        answer = self._call(self._stub.ApplyChangeSet, request)
        results: list[Registration | CompatibilitySettings] = []
        for result in answer.results:
            if result.WhichOneof("outcome") == "settings":
                results.append(settings_from_wire(result.settings))
                continue
            registered = wire.RegisterSchemaResponse(
                schema=result.registered.schema,
                report=result.registered.report,
                already_registered=result.registered.already_registered,
                revision=answer.revision,
            )
            schema = self._complete(registered.schema) if dry_run else self._held(registered)
            results.append(registration_from_wire(registered, schema=schema))
        return ChangeSetOutcome(tuple(results), answer.revision)

    # Following changes ---------------------------------------------------------------------

    def watch(
        self,
        *,
        subjects: Sequence[str] = (),
        prefix: str = "",
        kinds: Sequence[ChangeKind] = (),
        states: Sequence[VersionState] = (),
        labels: Mapping[str, str] = _NOTHING,
        verdicts: Sequence[Verdict] = (),
        after_revision: int | None = None,
        after_token: str | None = None,
        snapshot: bool = False,
        include_previous: bool = False,
        progress_seconds: float = 10.0,
    ) -> Iterator[WatchMessage]:
        """Follow the change log for ever, resuming by itself; one whole revision a message.

        Raises:
            RevisionCompactedError: the start lies below what the log keeps; take a snapshot.
            OutOfRangeError: the start lies ahead of the store.
            EpochChangedError: the token belongs to another store.
        """
        request = requests.watch_request(
            subjects=subjects,
            prefix=prefix,
            kinds=kinds,
            states=states,
            labels=labels,
            verdicts=verdicts,
            after_revision=after_revision,
            after_token=after_token,
            snapshot=snapshot,
            include_previous=include_previous,
            progress_seconds=progress_seconds,
        )
        cursor = WatchCursor(request, complete=self._complete)
        return follow(self._watch_connection(), cursor, stopped=self._stopped)

    def watch_schema_updates(self, subject: str) -> Iterator[SchemaUpdate]:
        """Follow one subject from now on, as typed updates with the old and the new schema."""
        for message in self.watch(subjects=[subject], include_previous=True):
            for event in message.events:
                update = update_from_event(event)
                if update is not None:
                    yield update

    def add_listener(self, listener: Callable[[SchemaUpdate], None]) -> None:
        """Call `listener` for every later change of any subject, in order, from the watch's thread.

        The cache holds the change before the listener hears of it.
        """
        self._listeners.append(listener)
        self._start_following(after_revision=None)

    def server_cache_tiers(self) -> tuple[CacheTier, ...]:
        """How the caches of the registry process that answers are doing, the nearest first."""
        answer = self._call(self._stub.GetCacheStats, reading.cache_request())
        return tuple(map(reading.tier_from_wire, answer.tiers))

    def cache_statistics(self) -> CacheStatistics:
        """Hits, misses, and since when the watch is down."""
        return self._cache.statistics()

    # Inside --------------------------------------------------------------------------------

    def _open_channel(self) -> grpc.Channel:
        return open_channel(
            self.address,
            self._credentials,
            asynchronous=False,
            call_attempts=self._call_attempts,
        )

    def _call(self, method: Callable[..., _Answer], request: _Request) -> _Answer:
        metadata = ((REQUEST_ID, uuid.uuid4().hex),)
        try:
            return method(request, timeout=self._timeout_seconds, metadata=metadata)
        except grpc.RpcError as failure:
            raise error_from_rpc(failure, address=self.address) from None
        except ValueError as closed:  # what grpc raises on a closed channel
            raise UnavailableError("the client is closed") from closed

    def _pages(self, method: Callable[..., _Page], request: PagedRequest) -> Iterator[_Page]:
        while True:
            answer = self._call(method, request)
            yield answer
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    def _complete(self, message: schema_pb2.SchemaVersion) -> RegisteredSchema:
        referenced = {
            reference.name: self.get(reference.subject, version=reference.version)
            for reference in message.references
        }
        return schema_from_wire(message, referenced=referenced)

    def _held(self, answer: VersionAnswer) -> RegisteredSchema:
        schema = self._complete(answer.schema)
        self._cache.add(schema, revision=answer.revision)
        return schema

    def _timeline(self, subject: str) -> Timeline:
        found = self._cache.timeline(subject)
        if found is not None:
            return found
        with self._lock:
            load = self._loads.setdefault(subject, threading.Lock())
        try:
            with load:
                return self._cache.timeline(subject) or self._load(subject)
        finally:
            with self._lock:
                self._loads.pop(subject, None)

    def _load(self, subject: str) -> Timeline:
        try:
            return self._fetch(subject)
        except (UnavailableError, DeadlineExceededError):
            saved = self._files.load(subject) if self._files else None
            if saved is None:
                raise
            self._cache.disconnected(time.time_ns())
            versions = [self._complete(version) for version in saved.versions]
            timeline = self._cache.finish_load(subject, versions, revision=saved.revision)
            self._from_files.add(subject)
            self._start_following(after_revision=None)
            return timeline

    def _fetch(self, subject: str) -> Timeline:
        """Load a subject from the registry, keep it in memory and on disk, and follow it."""
        self._cache.begin_load(subject)
        try:
            answer = self._list_versions(subject)
            versions = [self._complete(version) for version in answer.versions]
        except BaseException:
            self._cache.abandon_load(subject)
            raise
        timeline = self._cache.finish_load(subject, versions, revision=answer.revision)
        self._from_files.discard(subject)
        if self._files:
            self._files.save(subject, answer)
        self._start_following(after_revision=timeline.revision)
        return timeline

    def _list_versions(self, subject: str) -> wire.ListVersionsResponse:
        whole = wire.ListVersionsResponse()
        page_token = ""
        while True:
            request = requests.versions_request(subject, page_token)
            answer = self._call(self._stub.ListVersions, request)
            whole.versions.extend(answer.versions)
            # The first page's revision: whatever changed since then comes by the watch as well.
            whole.revision = whole.revision or answer.revision
            page_token = answer.next_page_token
            if not page_token:
                return whole

    def _watch_connection(self) -> WatchConnection:
        return WatchConnection(
            self._stub, open_channel=self._open_channel, on_open=self._cancel_on_close
        )

    def _cancel_on_close(self, call: SyncWatchCall) -> None:
        with self._lock:
            self._calls = {earlier for earlier in self._calls if earlier.is_active()}
            self._calls.add(call)
        if self._stopped.is_set():
            call.cancel()

    def _start_following(self, *, after_revision: int | None) -> None:
        with self._lock:
            if self._follower is not None or self._stopped.is_set():
                return
            self._follower = threading.Thread(
                target=self._follow,
                kwargs={"after_revision": after_revision},
                name="tickmesh-registry-watch",
                daemon=True,
            )
            self._follower.start()

    def _follow(self, *, after_revision: int | None) -> None:
        """Apply the change log to the cache until the client is closed."""
        start = after_revision
        while not self._stopped.is_set():
            try:
                if start is None:
                    start = self._reload()
                request = requests.watch_request(after_revision=start, include_previous=True)
                cursor = WatchCursor(request, complete=self._complete)
                for message in follow(
                    self._watch_connection(),
                    cursor,
                    stopped=self._stopped,
                    on_interruption=self._lost,
                ):
                    self._take(message)
            except (EpochChangedError, RevisionCompactedError):
                start = None
            except TickmeshError as error:
                self._lost(error)
                start = None
                self._stopped.wait(1.0)

    def _take(self, message: WatchMessage) -> None:
        for event in message.events:
            changed = self._cache.apply(event)
            if changed is not None and self._files:
                # From memory: the registry may be gone before it could be asked again.
                versions = map(schema_to_wire, changed.by_version.values())
                answer = wire.ListVersionsResponse(versions=versions, revision=changed.revision)
                self._files.save(changed.subject, answer)
            update = update_from_event(event)
            if update is not None:
                for listener in self._listeners:
                    listener(update)
        self._cache.connected(message.revision)
        for subject in tuple(self._from_files):
            # The watch may be behind changes that came between the file and its own beginning.
            with suppress(NotFoundError, UnavailableError, DeadlineExceededError):
                self._fetch(subject)

    def _lost(self, _: TickmeshError | None) -> None:
        self._cache.disconnected(time.time_ns())

    def _reload(self) -> int:
        """Load every held subject anew; returns the revision to follow from."""
        head = self._call(self._stub.ListSubjects, wire.ListSubjectsRequest(page_size=1)).revision
        for subject in self._cache.subjects():
            with suppress(NotFoundError):
                self._fetch(subject)
        return head
