"""What the registry does, callable without any transport.

Every function takes the call it serves; none knows how it arrived.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh_serving.permissions import everyone

from .cache import CacheTier
from .differences import Differences
from .domain.bounds import require_references, require_subject
from .domain.compatibility import DEFAULTS, Settings, every_version
from .domain.errors import InvalidArgumentError, VersionNotFoundError, VersionRemovedError
from .formats import FORMATS
from .judging import Draft, versions_compared
from .life_cycle import LifeCycle
from .listing import Listings
from .lookup import Found, Lookup
from .proposal import PolicyChange
from .refusal import bounded_report
from .registration import Registrar
from .searching import Search
from .store import BasisQuestion
from .workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tickmesh_serving.call_context import CallContext
    from tickmesh_serving.clock import Clock
    from tickmesh_serving.permissions import Grants

    from .domain.compatibility import Mode, Policy, SettingsOverride
    from .domain.versions import Reference
    from .feed import Delivery, WatchOrder
    from .formats import SchemaFormats
    from .lookup import Selector
    from .proposal import ChangeSet, ChangeSetApplied, Proposal, Registration
    from .shared_versions import SharedVersions
    from .store import SchemaStore, SubjectBasis
    from .watch import WatchHub

_MAX_VERSIONS_NAMED = 1_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A schema to be judged without writing.

    Attributes:
        subject: Whose versions it is compared with.
        versions: Only these; those the mode names when empty.
        mode: The subject's own when none.
        policy: The subject's own when none.
        ignore_deleted: Leave soft-deleted versions out.
    """

    subject: str
    text: str
    format: str = "json-schema"
    references: tuple[Reference, ...] = ()
    versions: tuple[int, ...] = ()
    mode: Mode | None = None
    policy: Policy | None = None
    ignore_deleted: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """A compatibility report as JSON text, and the revision it reflects."""

    report: str
    revision: int


@dataclass(frozen=True, slots=True)
class SettingsInEffect:
    """Settings with inherited values filled in, and the revision they reflect."""

    settings: Settings
    revision: int


class RegistryApplication:
    """The registry, behind whatever edge.

    Attributes:
        lookup: Finds single versions.
        listings: Answers in pages.
        search: Finds versions by what their schemas say.
        differences: Compares schemas.
    """

    def __init__(
        self,
        store: SchemaStore,
        hub: WatchHub,
        *,
        clock: Clock,
        grants: Grants = everyone,
        formats: SchemaFormats = FORMATS,
        shared: SharedVersions | None = None,
    ) -> None:
        self._store = store
        self._hub = hub
        self._clock = clock
        self._workbench = Workbench(store, formats=formats)
        hub.on_publish(self._workbench.published)
        self._registrar = Registrar(store, self._workbench, clock=clock, grants=grants)
        self.life_cycle = LifeCycle(store, clock=clock, grants=grants)
        self.lookup = Lookup(store, hub, clock, shared=shared)
        self.listings = Listings(store)
        self.search = Search(store, self._workbench)
        self.differences = Differences(store, self.lookup, self._workbench)
        hub.on_jump(self._workbench.forget)

    async def register(self, proposal: Proposal, call: CallContext) -> Registration:
        """Register a schema if its subject's compatibility allows; see `Registrar.register`."""
        return await self._registrar.register(proposal, call)

    async def apply(self, change_set: ChangeSet, call: CallContext) -> ChangeSetApplied:
        """Register versions and change policies as one revision; see `Registrar.apply`."""
        return await self._registrar.apply(change_set, call)

    async def get(self, selector: Selector, call: CallContext, *, min_revision: int = 0) -> Found:
        """Find a version; see `Lookup.get`."""
        return await self.lookup.get(
            selector, min_revision=min_revision, deadline_ns=call.deadline_ns
        )

    async def check(self, candidate: Candidate, _call: CallContext) -> Reported:
        """Judge a candidate against registered versions, without writing.

        Raises:
            InvalidArgumentError: A field is out of bounds.
            InvalidSchemaError: The text is no schema that can be registered.
            VersionNotFoundError: A version or reference named does not exist.
            VersionRemovedError: A version or reference named was removed for good.
        """
        subject = require_subject(candidate.subject)
        require_references(candidate.references)
        if len(candidate.versions) > _MAX_VERSIONS_NAMED:
            raise InvalidArgumentError.of(
                "versions",
                f"expected at most {_MAX_VERSIONS_NAMED}, got {len(candidate.versions)}",
            )
        document = await self._workbench.parse(
            candidate.format, candidate.text, candidate.references
        )
        async with self._store.snapshot() as reader:
            basis = await reader.registration_basis(BasisQuestion((subject,)))
        settings = Draft(basis).settings(subject)
        mode = candidate.mode or settings.mode
        numbers = _compared(candidate, basis.subjects[subject], mode)
        judgement = await self._workbench.run(
            self._workbench.formats.named(candidate.format).judge,
            await self._workbench.history(subject, numbers),
            document,
            mode=every_version(mode) if candidate.versions else mode,
            policy=candidate.policy or settings.policy,
        )
        content = {
            **bounded_report(judgement.content),
            "mode": mode.value,
            "deleted_ignored": candidate.ignore_deleted,
        }
        return Reported(json.dumps(content), basis.head.revision)

    async def settings(self, subject: str, _call: CallContext) -> SettingsInEffect:
        """The settings in effect for a subject, or the global ones for "".

        Raises:
            InvalidArgumentError: The subject cannot be one.
        """
        if subject:
            require_subject(subject)
        async with self._store.snapshot() as reader:
            root = (await reader.subject("")).settings.over(DEFAULTS)
            own = (await reader.subject(subject)).settings
            return SettingsInEffect(own.over(root), reader.head.revision)

    async def set_settings(
        self, subject: str, wanted: SettingsOverride, call: CallContext
    ) -> SettingsInEffect:
        """Set what a subject, or the registry for "", sets itself; none inherits.

        Raises:
            InvalidArgumentError: The subject cannot be one.
        """
        applied = await self._registrar.change_policy(PolicyChange(subject, wanted), call)
        (settings,) = applied.results
        assert isinstance(settings, Settings)
        return SettingsInEffect(settings, applied.revision)

    def cache_tiers(self) -> tuple[CacheTier, ...]:
        """How the caches of this process are doing, the nearest first."""
        return (
            *self.lookup.cache_tiers(),
            CacheTier.of("schemas", self._workbench.documents),
            CacheTier.of("fields", self.search.fields),
        )

    def watch(self, order: WatchOrder, call: CallContext) -> AsyncGenerator[Delivery]:
        """Deliver every matching change in order; see `WatchHub.watch`."""
        return self._hub.watch(order, call.principal)

    def close(self) -> None:
        """Let go of the threads."""
        self._workbench.close()


def _compared(candidate: Candidate, known: SubjectBasis, mode: Mode) -> list[int]:
    """The versions named, else those that the mode names; never one removed for good."""
    if not candidate.versions:
        return versions_compared(known, mode, ignore_deleted=candidate.ignore_deleted)
    for number in candidate.versions:
        if not 1 <= number <= known.state.version_count:
            raise VersionNotFoundError.of(candidate.subject, number)
        if number in known.removed:
            raise VersionRemovedError.of(candidate.subject, number)
    return sorted(set(candidate.versions) - (known.deleted if candidate.ignore_deleted else set()))
