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

from tickmesh_registry.domain.compatibility import (
    INHERIT,
    Action,
    Settings,
    SettingsOverride,
    Verdict,
)
from tickmesh_registry.domain.ordering import BY_NAME, Order

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

    from tickmesh_registry.domain.changes import ChangeKind, Revision
    from tickmesh_registry.domain.evidence import DataReport
    from tickmesh_registry.domain.filtering import Restriction
    from tickmesh_registry.domain.versions import (
        Actor,
        Reference,
        Version,
        VersionKey,
        VersionStanding,
        VersionState,
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
    data_report: DataReport | None = None


@dataclass(frozen=True, slots=True)
class NewStanding:
    """Another state for a version.

    Attributes:
        version: The version as it is, as read in the same transaction.
        state: Its state from now on; REMOVED takes its texts away for good.
        note: Its deprecation note from now on.
    """

    version: Version
    state: VersionState
    note: str


@dataclass(frozen=True, slots=True)
class NewChange:
    """An entry for the change log; the store gives revision and sequence.

    Attributes:
        version: The number of the version staged in the same transaction that it tells of.
        previous: For registrations and refusals the latest version before, if there was one; for
            another state of a version that version as it was.
        verdict: The report's verdict, where there is a report.
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
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class RegisteredOutcome:
    """What a registration answered.

    Attributes:
        subject: The subject asked for.
        version: The version answered.
        already_registered: Whether nothing was written.
        report: The compatibility report as JSON text.
    """

    subject: str
    version: int
    already_registered: bool
    report: str


@dataclass(frozen=True, slots=True)
class SettingsOutcome:
    """What a policy change answered."""

    settings: Settings


Outcome = RegisteredOutcome | SettingsOutcome


@dataclass(frozen=True, slots=True)
class CompletedRequest:
    """What registrations and policy changes with an idempotency key answered.

    Attributes:
        principal: Who asked; keys of different principals never meet.
        request_id: The idempotency key.
        digest: Fingerprint of the request's content.
        outcomes: One for each thing asked, in order.
        completed_at_ns: When.
        revision: The revision answered; given by the store when it is staged.
    """

    principal: str
    request_id: str
    digest: str
    outcomes: tuple[Outcome, ...]
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
class BasisQuestion:
    """What registrations and policy changes will be judged from.

    Attributes:
        subjects: Those registered into, or whose settings change; "" need not be named.
        references: The versions referred to, as (subject, version).
        principal: Who asks.
        request_id: The idempotency key; empty for none.
    """

    subjects: tuple[str, ...]
    references: tuple[tuple[str, int], ...] = ()
    principal: str = ""
    request_id: str = ""

    @property
    def names(self) -> list[str]:
        """Every subject whose change matters, "" among them."""
        return sorted({"", *self.subjects, *(subject for subject, _ in self.references)})


@dataclass(frozen=True, slots=True)
class SubjectBasis:
    """What a registration into one subject is judged from.

    Attributes:
        state: The subject.
        latest: Its highest version not deleted, if there is one.
        deleted: The numbers of its soft-deleted versions.
        removed: The numbers of its versions removed for good.
    """

    state: SubjectState
    latest: Version | None
    deleted: frozenset[int]
    removed: frozenset[int]


@dataclass(frozen=True, slots=True)
class RegistrationBasis:
    """All that registrations and policy changes are judged from, of one revision.

    Attributes:
        question: What was asked.
        head: The revision.
        root: The global settings.
        subjects: By name, those asked for.
        referenced: The state of each version referred to that exists.
        revisions: By name, the last change of every subject that matters, "" among them.
        completed: What the idempotency key answered before, if it did.
    """

    question: BasisQuestion
    head: Head
    root: SubjectState
    subjects: Mapping[str, SubjectBasis]
    referenced: Mapping[tuple[str, int], VersionState]
    revisions: Mapping[str, int]
    completed: CompletedRequest | None


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
        """The earliest version that carries the schema id, a removed one only if all are."""

    async def version_with_fingerprint(self, fingerprint: str) -> Version | None:
        """The earliest version that carries the fingerprint, a removed one only if all are."""

    async def versions_through(
        self, revision: int, *, after: tuple[str, int], limit: int
    ) -> tuple[Version, ...]:
        """Versions registered up to `revision`, in order of (subject, version), after a key."""

    async def standings(self, *, prefix: str) -> tuple[VersionStanding, ...]:
        """Versions that are not plainly active, of subjects whose names begin with `prefix`."""

    async def referrers(
        self, subject: str, version: int, *, limit: int
    ) -> tuple[tuple[str, int], ...]:
        """Versions that refer to a version and are not removed, by (subject, version)."""

    async def registration_basis(self, question: BasisQuestion) -> RegistrationBasis:
        """Everything registrations are judged from, in one go."""

    async def completed_request(self, principal: str, request_id: str) -> CompletedRequest | None:
        """What a registration with this idempotency key answered."""

    async def refusal(self, subject: str, fingerprint: str, principal: str) -> Refusal | None:
        """The last refusal that became an event."""


class Transaction(Reader, Protocol):
    """Reads the last revision and stages what becomes the next one.

    Staged writes are not read back; they reach the store together, when the body has returned.
    """

    async def moved_since(self, basis: RegistrationBasis) -> bool:
        """Whether anything in `basis` has changed since, or its request was answered."""

    def add_version(self, version: NewVersion) -> None:
        """Stage a version, and the field ids of its subject."""

    def set_standing(self, standing: NewStanding) -> None:
        """Stage another state for a version.

        A removed version leaves a tombstone: number, schema id and fingerprint stay. Its texts and
        reports go from the store and from the log, its canonical text only when no other version
        that is not removed shares the schema.
        """

    def set_settings(self, subject: str, settings: SettingsOverride) -> None:
        """Stage the settings a subject (or "" for the registry as a whole) sets itself."""

    def add_change(self, change: NewChange) -> None:
        """Stage an entry of the change log. A transaction with one makes a revision."""

    def set_completed_request(self, request: CompletedRequest) -> None:
        """Stage an idempotency record, in place of an earlier one; the store gives its revision."""

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
        """Open the store, for one writing process.

        Raises:
            ConfigError: It cannot be opened with these settings.
            UnavailableError: It does not answer, after it was waited for.
        """

    async def head(self) -> Head:
        """Where the store itself stands now."""

    def snapshot(self) -> AbstractAsyncContextManager[Reader]:
        """Read at the last revision; everything read inside belongs to it."""

    async def transact(self, body: Callable[[Transaction], Awaitable[Result]]) -> Committed[Result]:
        """Run `body` alone and commit what it staged, whole or not at all.

        When this returns, the revision is durable and the listener has it. An error of the body
        leaves nothing. A body may run a second time, when what it was committed together with
        could not be written: it does nothing but read and stage. Cancelling the caller does not
        cancel a transaction that has begun.

        Raises:
            StoreUnavailableError: The store did not answer; nothing is known to be written.
        """

    def on_commit(self, listener: Callable[[Revision, Head], None]) -> None:
        """Name who is given every revision, in order, before `transact` returns.

        Every one: also those that other processes commit, soon after they did.
        """

    def on_head(self, listener: Callable[[Head], None]) -> None:
        """Name who is told where the store stands when it moved without a revision.

        That is when its log was compacted, or when it was restored and has another epoch.
        """

    async def changes_after(self, revision: int, *, limit: int) -> LogPage:
        """Whole revisions after `revision`, oldest first, at least one if there is one.

        A version is told of as it stood at that revision, but without texts once it is removed.

        The page ends when it holds `limit` changes or more. The caller compares `revision` with
        the page's compact_revision: below it, the log has a hole.
        """

    async def compact(self, revision: int, *, forget_before_ns: int) -> Head:
        """Drop changes up to `revision`, and idempotency records older than an instant."""

    async def close(self) -> None:
        """End the transaction under way and close the store."""
