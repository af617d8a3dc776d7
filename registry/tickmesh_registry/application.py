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
from .domain.changes import ChangeKind
from .domain.compatibility import DEFAULTS, every_version
from .domain.errors import InvalidArgumentError, VersionNotFoundError
from .formats import FORMATS, require_offered
from .listing import Listings
from .lookup import Found, Lookup
from .refusal import bounded_report
from .registration import Registrar, actor_of
from .searching import Search
from .store import NewChange
from .workbench import Workbench

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from tickmesh_serving.call_context import CallContext
    from tickmesh_serving.clock import Clock
    from tickmesh_serving.permissions import Grants

    from .domain.compatibility import Mode, Policy, Settings, SettingsOverride
    from .domain.versions import Reference
    from .feed import Delivery, WatchOrder
    from .formats import SchemaFormats
    from .lookup import Selector
    from .proposal import Proposal, Registration
    from .shared_versions import SharedVersions
    from .store import SchemaStore, SubjectState, Transaction
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
    """

    subject: str
    text: str
    format: str = "json-schema"
    references: tuple[Reference, ...] = ()
    versions: tuple[int, ...] = ()
    mode: Mode | None = None
    policy: Policy | None = None


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
        self._registrar = Registrar(store, self._workbench, clock=clock, grants=grants)
        self.lookup = Lookup(store, hub, clock, shared=shared)
        self.listings = Listings(store)
        self.search = Search(store, self._workbench)
        self.differences = Differences(store, self.lookup, self._workbench)

    async def register(self, proposal: Proposal, call: CallContext) -> Registration:
        """Register a schema if its subject's compatibility allows; see `Registrar.register`."""
        return await self._registrar.register(proposal, call)

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
            state = await reader.subject(subject)
            root = await reader.subject("")
            revision = reader.head.revision
        settings = state.settings.over(root.settings.over(DEFAULTS))
        mode = candidate.mode or settings.mode
        numbers = self._compared(candidate, state)
        judgement = await self._workbench.run(
            self._workbench.formats.named(candidate.format).judge,
            await self._workbench.history(subject, numbers),
            document,
            mode=every_version(mode) if candidate.versions else mode,
            policy=candidate.policy or settings.policy,
        )
        content = dict(bounded_report(judgement.content))
        return Reported(json.dumps({**content, "mode": mode.value}), revision)

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
        if subject:
            require_subject(subject)
        if wanted.policy is not None:
            require_offered(wanted.policy)

        async def body(transaction: Transaction) -> Settings:
            state = await transaction.subject(subject)
            root = state if subject == "" else await transaction.subject("")
            inherited = DEFAULTS if subject == "" else root.settings.over(DEFAULTS)
            in_effect = wanted.over(inherited)
            if wanted != state.settings:
                transaction.set_settings(subject, wanted)
                transaction.add_change(
                    NewChange(
                        kind=ChangeKind.POLICY_CHANGED,
                        subject=subject,
                        version=None,
                        previous=None,
                        action=None,
                        report=None,
                        settings=in_effect,
                        rejected_text=None,
                        actor=actor_of(call),
                        changed_at_ns=max(self._clock.now_ns(), transaction.head.changed_at_ns),
                    )
                )
            return in_effect

        committed = await self._store.transact(body)
        return SettingsInEffect(committed.result, committed.head.revision)

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

    def _compared(self, candidate: Candidate, state: SubjectState) -> Sequence[int]:
        if not candidate.versions:
            return range(1, state.version_count + 1)
        for number in candidate.versions:
            if not 1 <= number <= state.version_count:
                raise VersionNotFoundError.of(candidate.subject, number)
        return sorted(set(candidate.versions))
