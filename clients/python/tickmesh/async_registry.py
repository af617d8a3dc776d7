"""The registry client for asyncio: the same questions, the same cache, one task that follows."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Self, TypeVar

import grpc

from tickmesh._registry import reading, requests
from tickmesh._registry.cache import SchemaCache
from tickmesh._registry.messages import (
    registration_from_wire,
    report_from_wire,
    schema_from_wire,
    settings_from_wire,
    subject_from_wire,
)
from tickmesh._registry.watch_connection import AsyncWatchConnection
from tickmesh._wire.credentials import ClientCredentials, credentials_of, open_channel
from tickmesh._wire.metadata import REQUEST_ID
from tickmesh._wire.status import error_from_rpc
from tickmesh.api.registry.v1 import life_cycle_pb2
from tickmesh.api.registry.v1 import schema_registry_service_pb2 as wire
from tickmesh.api.registry.v1.schema_registry_service_pb2_grpc import SchemaRegistryServiceStub
from tickmesh.config import load_client_config
from tickmesh.errors import (
    EpochChangedError,
    NotFoundError,
    RevisionCompactedError,
    TickmeshError,
)
from tickmesh.proposals import ChangeSetOutcome
from tickmesh.registered import Knowledge, update_from_event
from tickmesh.registry import DEFAULT_TIMEOUT_SECONDS
from tickmesh.watch import WatchCursor, follow_async

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

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
    from tickmesh.watch import WatchMessage

_Answer = TypeVar("_Answer")
_Page = TypeVar("_Page", bound="PageOfAnswer")
_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_REFERENCES: Mapping[str, tuple[str, int]] = MappingProxyType({})


class AsyncRegistryClient:
    """The registry from one event loop; see `tickmesh.registry.RegistryClient` for the meaning.

    Make it and use it on the same running loop.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        credentials: ClientCredentials | None = None,
        config: ClientConfig | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
    ) -> None:
        """Connect lazily to `address` (`host:port`), or to the one configured.

        Args:
            address: `host:port`.
            credentials: TLS files and a token provider; those configured when None.
            config: the client's settings; loaded when None.
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
        self._loads: dict[str, asyncio.Task[Timeline]] = {}
        self._listeners: list[Callable[[SchemaUpdate], None]] = []
        self._follower: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the background watch and the connection. Safe to call twice."""
        if self._follower is not None:
            self._follower.cancel()
            with suppress(asyncio.CancelledError):
                await self._follower
        await self._channel.close()

    # Reading versions ----------------------------------------------------------------------

    async def get(self, subject: str, *, version: int) -> RegisteredSchema:
        """One version of a subject, whatever its state."""
        found = (await self._timeline(subject)).by_version.get(version)
        if found is not None:
            return found
        request = requests.version_request(subject, version)
        return await self._held(await self._call(self._stub.GetSchema, request))

    async def latest(self, subject: str) -> RegisteredSchema:
        """The highest version of a subject that is not deleted."""
        found = (await self._timeline(subject)).latest()
        if found is None:
            message = f"expected a version of {subject!r}, but all of them are deleted"
            raise NotFoundError(message, reason="VERSION_NOT_FOUND")
        return found

    async def in_force(
        self, subject: str, *, at_ns: int | None = None, known_at_ns: int | None = None
    ) -> RegisteredSchema:
        """The version in force at an instant, as known at another; both default to now."""
        timeline = await self._timeline(subject)
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

    async def by_id(self, schema_id: int) -> RegisteredSchema:
        """The earliest version that carries a schema id."""
        found = self._cache.by_id(schema_id)
        if found is not None:
            return found
        request = wire.GetSchemaRequest(schema_id=schema_id)
        return await self._held(await self._call(self._stub.GetSchema, request))

    async def by_fingerprint(self, fingerprint: str) -> RegisteredSchema:
        """The earliest version that carries a fingerprint."""
        found = self._cache.by_fingerprint(fingerprint)
        if found is not None:
            return found
        request = wire.GetSchemaRequest(fingerprint=fingerprint)
        return await self._held(await self._call(self._stub.GetSchema, request))

    async def get_many(
        self, names: Sequence[tuple[str, int]]
    ) -> list[RegisteredSchema | TickmeshError]:
        """Many versions by (subject, version), in order; past the local cache."""
        found: dict[tuple[str, int], RegisteredSchema | TickmeshError] = {}
        waiting = list(dict.fromkeys(names))
        while waiting:
            asked = waiting[: reading.BATCH_SIZE]
            answer = await self._call(self._stub.BatchGetSchemas, reading.batch_request(asked))
            again = []
            for name, result in zip(asked, answer.results, strict=True):
                if reading.is_too_large(result):
                    again.append(name)
                elif result.HasField("error"):
                    found[name] = reading.batch_error(result.error)
                else:
                    schema = await self._complete(result.schema)
                    self._cache.add(schema, revision=answer.revision)
                    found[name] = schema
            waiting = [*again, *waiting[reading.BATCH_SIZE :]]
        return [found[name] for name in names]

    async def versions(
        self, subject: str, *, where: str = "", order_by: str = ""
    ) -> tuple[RegisteredSchema, ...]:
        """Every version of a subject; with a filter or an order, past the local cache."""
        if not (where or order_by):
            return tuple((await self._timeline(subject)).by_version.values())
        request = reading.filtered_versions_request(subject, where=where, order_by=order_by)
        return tuple(
            [
                await self._complete(version)
                async for answer in self._pages(self._stub.ListVersions, request)
                for version in answer.versions
            ]
        )

    async def subjects(
        self, *, prefix: str = "", where: str = "", order_by: str = ""
    ) -> list[SubjectSummary]:
        """Every subject whose name begins with `prefix`, by name unless asked otherwise."""
        request = reading.subjects_request(prefix=prefix, where=where, order_by=order_by)
        return [
            subject_from_wire(subject)
            async for answer in self._pages(self._stub.ListSubjects, request)
            for subject in answer.subjects
        ]

    async def search(
        self,
        *fields: FieldCondition,
        where: str = "",
        latest_only: bool = False,
    ) -> AsyncIterator[SchemaHit]:
        """Find versions that have a field for every condition, in order of subject and version."""
        request = reading.search_request(fields, where=where, latest_only=latest_only)
        async for answer in self._pages(self._stub.SearchSchemas, request):
            for hit in answer.hits:
                yield reading.hit_from_wire(hit, schema=await self._complete(hit.schema))

    async def diff(
        self, before: reading.ComparedSchema, after: reading.ComparedSchema
    ) -> SchemaComparison:
        """Say what changes between two schemas, and what becomes of every column."""
        request = reading.difference_request(before, after)
        return reading.comparison_from_wire(await self._call(self._stub.DiffSchemas, request))

    async def get_timeline(
        self,
        subject: str,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
        knowledge: Knowledge = Knowledge.NOW,
        known_at_ns: int | None = None,
    ) -> list[TimelineSpan]:
        """Say which version of a subject is in force when, in order of time."""
        request = reading.timeline_request(
            subject,
            start_ns=start_ns,
            end_ns=end_ns,
            knowledge=knowledge,
            known_at_ns=known_at_ns,
        )
        return [
            reading.span_from_wire(span, schema=await self._complete(span.schema))
            async for answer in self._pages(self._stub.GetTimeline, request)
            for span in answer.spans
        ]

    # Registering and judging ---------------------------------------------------------------

    async def register(
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
        """Propose a schema for a subject and register it when compatibility allows."""
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
        answer = await self._call(self._stub.RegisterSchema, request)
        if dry_run:
            return registration_from_wire(answer, schema=await self._complete(answer.schema))
        return registration_from_wire(answer, schema=await self._held(answer))

    async def check(
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
        return report_from_wire((await self._call(self._stub.CheckCompatibility, request)).report)

    async def compatibility(self, subject: str | None = None) -> CompatibilitySettings:
        """The settings in effect for a subject, or the global ones for None."""
        request = wire.GetCompatibilityRequest(subject=subject or "")
        return settings_from_wire((await self._call(self._stub.GetCompatibility, request)).settings)

    async def set_compatibility(
        self,
        subject: str | None = None,
        *,
        mode: Mode | None = None,
        policy: Policy | None = None,
        undecided: UndecidedPolicy | None = None,
    ) -> CompatibilitySettings:
        """Set a subject's settings, or the global ones; None returns one to the inherited value."""
        request = requests.settings_request(subject, mode=mode, policy=policy, undecided=undecided)
        return settings_from_wire((await self._call(self._stub.SetCompatibility, request)).settings)

    # Life cycles and change sets ------------------------------------------------------------

    async def deprecate(self, subject: str, *, version: int, note: str = "") -> RegisteredSchema:
        """Mark a version as one that new writers should leave; `note` says what to use instead.

        Raises:
            FailedPreconditionError: it is deleted, or removed for good.
        """
        request = life_cycle_pb2.DeprecateVersionRequest(
            subject=subject, version=version, note=note
        )
        return await self._held(await self._call(self._stub.DeprecateVersion, request))

    async def delete(self, subject: str, *, version: int) -> RegisteredSchema:
        """Hide a version from latest and in force; `restore` brings it back."""
        request = life_cycle_pb2.DeleteVersionRequest(subject=subject, version=version)
        return await self._held(await self._call(self._stub.DeleteVersion, request))

    async def remove(self, subject: str, *, version: int) -> RegisteredSchema:
        """Remove the text of a soft-deleted version for good; needs a permission of its own.

        Number, schema id and fingerprint stay as a tombstone. There is no way back.

        Raises:
            FailedPreconditionError: it is not soft-deleted, or other versions refer to it.
        """
        request = life_cycle_pb2.DeleteVersionRequest(
            subject=subject, version=version, permanent=True
        )
        return await self._held(await self._call(self._stub.DeleteVersion, request))

    async def restore(self, subject: str, *, version: int) -> RegisteredSchema:
        """Make a soft-deleted or deprecated version active again.

        Raises:
            FailedPreconditionError: it was removed for good.
        """
        request = life_cycle_pb2.RestoreVersionRequest(subject=subject, version=version)
        return await self._held(await self._call(self._stub.RestoreVersion, request))

    async def apply_change_set(
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
        answer = await self._call(self._stub.ApplyChangeSet, request)
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
            schema = (
                await self._complete(registered.schema) if dry_run else await self._held(registered)
            )
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
    ) -> AsyncIterator[WatchMessage]:
        """Follow the change log for ever, resuming by itself; one whole revision a message."""
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
        return self._follow_from(request, on_interruption=lambda _: None)

    async def watch_schema_updates(self, subject: str) -> AsyncIterator[SchemaUpdate]:
        """Follow one subject from now on, as typed updates with the old and the new schema."""
        async for message in self.watch(subjects=[subject], include_previous=True):
            for event in message.events:
                update = update_from_event(event)
                if update is not None:
                    yield update

    def add_listener(self, listener: Callable[[SchemaUpdate], None]) -> None:
        """Call `listener` for every later change of any subject, in order."""
        self._listeners.append(listener)
        self._start_following(after_revision=None)

    async def server_cache_tiers(self) -> tuple[CacheTier, ...]:
        """How the caches of the registry process that answers are doing, the nearest first."""
        answer = await self._call(self._stub.GetCacheStats, reading.cache_request())
        return tuple(map(reading.tier_from_wire, answer.tiers))

    def cache_statistics(self) -> CacheStatistics:
        """Hits, misses, and since when the watch is down."""
        return self._cache.statistics()

    # Inside --------------------------------------------------------------------------------

    def _open_channel(self) -> grpc.aio.Channel:
        return open_channel(
            self.address,
            self._credentials,
            asynchronous=True,
            call_attempts=self._call_attempts,
        )

    async def _call(self, method: Callable[..., Awaitable[_Answer]], request: object) -> _Answer:
        metadata = ((REQUEST_ID, uuid.uuid4().hex),)
        try:
            return await method(request, timeout=self._timeout_seconds, metadata=metadata)
        except grpc.RpcError as failure:
            raise error_from_rpc(failure, address=self.address) from None

    async def _pages(
        self, method: Callable[..., Awaitable[_Page]], request: PagedRequest
    ) -> AsyncIterator[_Page]:
        while True:
            answer = await self._call(method, request)
            yield answer
            if not answer.next_page_token:
                return
            request.page_token = answer.next_page_token

    async def _complete(self, message: schema_pb2.SchemaVersion) -> RegisteredSchema:
        referenced = {
            reference.name: await self.get(reference.subject, version=reference.version)
            for reference in message.references
        }
        return schema_from_wire(message, referenced=referenced)

    async def _held(self, answer: VersionAnswer) -> RegisteredSchema:
        schema = await self._complete(answer.schema)
        self._cache.add(schema, revision=answer.revision)
        return schema

    async def _timeline(self, subject: str) -> Timeline:
        found = self._cache.timeline(subject)
        if found is not None:
            return found
        load = self._loads.get(subject)
        if load is None:
            load = asyncio.create_task(self._load(subject))
            self._loads[subject] = load
            load.add_done_callback(lambda _: self._loads.pop(subject, None))
        return await asyncio.shield(load)

    async def _load(self, subject: str) -> Timeline:
        self._cache.begin_load(subject)
        try:
            timeline = await self._fetch(subject)
        except BaseException:
            self._cache.abandon_load(subject)
            raise
        self._start_following(after_revision=timeline.revision)
        return timeline

    async def _fetch(self, subject: str) -> Timeline:
        versions: list[RegisteredSchema] = []
        revision = 0
        page_token = ""
        while True:
            request = requests.versions_request(subject, page_token)
            answer = await self._call(self._stub.ListVersions, request)
            versions.extend([await self._complete(version) for version in answer.versions])
            revision = revision or answer.revision
            page_token = answer.next_page_token
            if not page_token:
                return self._cache.finish_load(subject, versions, revision=revision)

    def _start_following(self, *, after_revision: int | None) -> None:
        if self._follower is None:
            follow_log = self._follow(after_revision=after_revision)
            self._follower = asyncio.create_task(follow_log, name="tickmesh-registry-watch")

    def _follow_from(
        self,
        request: wire.WatchRequest,
        *,
        on_interruption: Callable[[TickmeshError | None], None],
    ) -> AsyncIterator[WatchMessage]:
        prepared: dict[tuple[str, int, int, str], RegisteredSchema] = {}

        async def prepare(response: wire.WatchResponse) -> None:
            prepared.clear()
            for event in response.events:
                for schema in (event.schema, event.previous):
                    if schema.version:
                        prepared[_standing(schema)] = await self._complete(schema)

        cursor = WatchCursor(request, complete=lambda schema: prepared[_standing(schema)])

        connection = AsyncWatchConnection(self._stub, open_channel=self._open_channel)
        return follow_async(connection, cursor, prepare=prepare, on_interruption=on_interruption)

    async def _follow(self, *, after_revision: int | None) -> None:
        start = after_revision
        while True:
            try:
                if start is None:
                    start = await self._reload()
                request = requests.watch_request(after_revision=start, include_previous=True)
                async for message in self._follow_from(request, on_interruption=self._lost):
                    self._take(message)
            except (EpochChangedError, RevisionCompactedError):
                start = None
            except TickmeshError as error:
                self._lost(error)
                start = None
                await asyncio.sleep(1.0)

    def _take(self, message: WatchMessage) -> None:
        for event in message.events:
            self._cache.apply(event)
            update = update_from_event(event)
            if update is not None:
                for listener in self._listeners:
                    listener(update)
        self._cache.connected(message.revision)

    def _lost(self, _: TickmeshError | None) -> None:
        self._cache.disconnected(time.time_ns())

    async def _reload(self) -> int:
        head = await self._call(self._stub.ListSubjects, wire.ListSubjectsRequest(page_size=1))
        for subject in self._cache.subjects():
            self._cache.begin_load(subject)
            try:
                await self._fetch(subject)
            except NotFoundError:
                self._cache.abandon_load(subject)
            except BaseException:
                self._cache.abandon_load(subject)
                raise
        return head.revision


def _standing(schema: schema_pb2.SchemaVersion) -> tuple[str, int, int, str]:
    """A version in one of its states: an event may carry it before and after a change."""
    return (schema.subject, schema.version, schema.state, schema.deprecation_note)
