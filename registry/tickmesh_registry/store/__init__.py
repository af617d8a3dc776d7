"""Where the registry keeps versions, settings and its change log, in the words of the domain.

A store is a line of revisions. `transact` adds at most one revision, whole or not at all, and the
revisions become visible in their order; `snapshot` reads everything at one revision;
`changes_after` reads the log. The promises of every engine are the conformance suite in
`tests/conformance/schema_store`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeAlias, TypeVar

from tickmesh_registry.domain.compatibility import INHERIT, Action, Settings, SettingsOverride
from tickmesh_registry.domain.ordering import BY_NAME, Order

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from tickmesh_registry.domain.changes import ChangeKind, Revision
    from tickmesh_registry.domain.filtering import Restriction
    from tickmesh_registry.domain.versions import (
        Actor,
        Reference,
        Version,
        VersionKey,
        VersionTimes,
    )

Result = TypeVar("Result")
SubjectPosition: TypeAlias = tuple[str | int, str]
Demands: TypeAlias = "Sequence[Restriction[Any]]"


@dataclass(frozen=True, slots=True)
class Head:
    """Where a store stands.

    Attributes:
        epoch: Identity of this history; a restored store gets another one.
        revision: The last revision committed, 0 for none.
        compact_revision: Changes up to it are no longer in the log.
        changed_at_ns: When the last revision was made, 0 for never.
    """

    epoch: str
    revision: int
    compact_revision: int
    changed_at_ns: int


@dataclass(frozen=True, slots=True)
class SubjectState:
    """A subject and where it stands; the name "" holds the global settings.

    Attributes:
        name: The subject.
        latest_version: The highest version not deleted, 0 when there is none.
        version_count: How many versions exist, deleted ones included; the last number given.
        revision: The revision of the last change of its versions or settings.
        settings: What the subject sets itself.
        field_ids: The field ids given so far, as JSON text; "" for none.
    """

    name: str
    latest_version: int = 0
    version_count: int = 0
    revision: int = 0
    settings: SettingsOverride = INHERIT
    field_ids: str = ""


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be registered; the store gives schema id and revision.

    Attributes:
        version: One more than the subject's version_count, as read in the same transaction.
        field_ids: All field ids of the subject from now on, as JSON text.
    """

    subject: str
    version: int
    fingerprint: str
    format: str
    text: str
    canonical_text: str
    arrow_schema: bytes
    references: tuple[Reference, ...]
    labels: Mapping[str, str]
    action: Action
    registered_at_ns: int
    effective_from_ns: int
    actor: Actor
    field_ids: str


@dataclass(frozen=True, slots=True)
class NewChange:
    """An entry for the change log; the store gives revision and sequence.

    Attributes:
        version: The number of the version staged in the same transaction that it tells of.
        previous: The latest version before the change, if there was one.
    """

    kind: ChangeKind
    subject: str
    version: int | None
    previous: Version | None
    action: Action | None
    report: str | None
    settings: Settings | None
    rejected_text: str | None
    actor: Actor
    changed_at_ns: int


@dataclass(frozen=True, slots=True)
class CompletedRequest:
    """What a registration with an idempotency key answered.

    Attributes:
        principal: Who asked; keys of different principals never meet.
        request_id: The idempotency key.
        digest: Fingerprint of the request's content.
        subject: The subject asked for.
        version: The version answered.
        revision: The revision answered; given by the store when it is staged.
        already_registered: Whether nothing was written.
        report: The compatibility report as JSON text.
        completed_at_ns: When.
    """

    principal: str
    request_id: str
    digest: str
    subject: str
    version: int
    already_registered: bool
    report: str
    completed_at_ns: int
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """The last refusal that became an event, for one (subject, fingerprint, principal)."""

    subject: str
    fingerprint: str
    principal: str
    refused_at_ns: int


class VersionScope(StrEnum):
    """Which versions are looked at."""

    EVERY = "every"
    LATEST = "latest"
    """The highest of each subject that is not deleted."""


@dataclass(frozen=True, slots=True)
class LogPage:
    """Whole revisions of the log, with the head of the very same snapshot."""

    head: Head
    revisions: tuple[Revision, ...]


class Reader(Protocol):
    """Reads at one revision."""

    @property
    def head(self) -> Head:
        """The revision this reader sees, and what belongs to it."""

    async def subject(self, name: str) -> SubjectState:
        """The state of a subject; one with no versions and no settings when it is unknown."""

    async def subjects(
        self,
        *,
        prefix: str,
        limit: int,
        order: Order = BY_NAME,
        after: SubjectPosition | None = None,
        demands: Demands = (),
    ) -> tuple[SubjectState, ...]:
        """Subjects with versions whose names begin with `prefix`.

        Args:
            prefix: ASCII; names are compared by code points.
            limit: At most so many.
            order: `name`, `revision` or `version_count`; equal ones follow their names.
            after: Only those behind this value of the order's field and this name.
            demands: Those that do not fulfil them may be left out.
        """

    async def version(self, subject: str, version: int) -> Version | None:
        """One version."""

    async def versions(self, subject: str, *, after: int, limit: int) -> tuple[Version, ...]:
        """Versions of a subject in ascending order, deleted ones included."""

    async def version_keys(
        self,
        *,
        after: tuple[str, int],
        limit: int,
        scope: VersionScope = VersionScope.EVERY,
        demands: Demands = (),
    ) -> tuple[VersionKey, ...]:
        """Versions of all subjects behind a key, in order of (subject, version), named only.

        Those that do not fulfil the demands may be left out.
        """

    async def versions_at(self, keys: Sequence[tuple[str, int]]) -> tuple[Version, ...]:
        """Versions by (subject, version), in the order of the keys; unknown ones are left out."""

    async def outlines_at(self, keys: Sequence[tuple[str, int]]) -> tuple[Version, ...]:
        """As `versions_at`, but text, canonical text and projection are not read: empty."""

    async def version_times(self, subject: str) -> tuple[VersionTimes, ...]:
        """What chooses among the versions of a subject, ascending."""

    async def version_with_schema_id(self, schema_id: int) -> Version | None:
        """The earliest version that carries the schema id."""

    async def version_with_fingerprint(self, fingerprint: str) -> Version | None:
        """The earliest version that carries the fingerprint."""

    async def versions_through(
        self, revision: int, *, after: tuple[str, int], limit: int
    ) -> tuple[Version, ...]:
        """Versions registered up to `revision`, in order of (subject, version), after a key."""

    async def completed_request(self, principal: str, request_id: str) -> CompletedRequest | None:
        """What a registration with this idempotency key answered."""

    async def refusal(self, subject: str, fingerprint: str, principal: str) -> Refusal | None:
        """The last refusal that became an event."""


class Transaction(Reader, Protocol):
    """Reads the last revision and stages what becomes the next one.

    Staged writes are not read back; they reach the store together, when the body has returned.
    """

    def add_version(self, version: NewVersion) -> None:
        """Stage a version, and the field ids of its subject."""

    def set_settings(self, subject: str, settings: SettingsOverride) -> None:
        """Stage the settings a subject (or "" for the registry as a whole) sets itself."""

    def add_change(self, change: NewChange) -> None:
        """Stage an entry of the change log. A transaction with one makes a revision."""

    def set_completed_request(self, request: CompletedRequest) -> None:
        """Stage an idempotency record; its revision is given by the store."""

    def set_refusal(self, refusal: Refusal) -> None:
        """Stage a refusal record."""


@dataclass(frozen=True, slots=True)
class Committed(Generic[Result]):
    """What a transaction did.

    Attributes:
        result: What its body returned.
        head: Where the store stands after it.
        revision: The revision it made, none when it changed nothing.
    """

    result: Result
    head: Head
    revision: Revision | None


class SchemaStore(Protocol):
    """A line of revisions."""

    async def open(self) -> None:
        """Open the store, for one writing process; raises ConfigError when it cannot."""

    async def head(self) -> Head:
        """Where the store itself stands now."""

    def snapshot(self) -> AbstractAsyncContextManager[Reader]:
        """Read at the last revision; everything read inside belongs to it."""

    async def transact(self, body: Callable[[Transaction], Awaitable[Result]]) -> Committed[Result]:
        """Run `body` alone and commit what it staged, whole or not at all.

        When this returns, the revision is durable and the listener has it. An error of the body
        leaves nothing. Cancelling the caller does not cancel a transaction that has begun.

        Raises:
            StoreUnavailableError: The store did not answer; nothing is known to be written.
        """

    def on_commit(self, listener: Callable[[Revision, Head], None]) -> None:
        """Name who is given every revision, in order, before `transact` returns."""

    async def changes_after(self, revision: int, *, limit: int) -> LogPage:
        """Whole revisions after `revision`, oldest first, at least one if there is one.

        The page ends when it holds `limit` changes or more. The caller compares `revision` with
        the page's compact_revision: below it, the log has a hole.
        """

    async def compact(self, revision: int, *, forget_before_ns: int) -> Head:
        """Drop changes up to `revision`, and idempotency records older than an instant."""

    async def close(self) -> None:
        """End the transaction under way and close the store."""
