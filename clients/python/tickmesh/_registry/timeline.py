"""The versions of one subject, and which of them is latest or in force."""

from __future__ import annotations

from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tickmesh.registered import RegisteredSchema

_FOREVER = 2**63 - 1


class Timeline:
    """Every version of a subject as of a registry revision. Never changes; `with_version` copies.

    The version in force now is remembered together with the instant at which another one takes
    over, so that the usual question costs two comparisons.
    """

    __slots__ = (
        "_from_ns",
        "_in_force",
        "_known_at",
        "_live",
        "_until_ns",
        "by_version",
        "revision",
        "subject",
    )

    def __init__(
        self,
        subject: str,
        versions: Iterable[RegisteredSchema],
        revision: int,
        *,
        known_at: Mapping[int, int] = MappingProxyType({}),
    ) -> None:
        """Order `versions` of `subject` as they stood at `revision`, or later where `known_at`."""
        self.subject = subject
        self.revision = revision
        self._known_at = known_at
        ordered = sorted(versions, key=attrgetter("version"))
        self.by_version = {schema.version: schema for schema in ordered}
        alive = [schema for schema in ordered if schema.state.is_live]
        self._live = sorted(alive, key=attrgetter("effective_from_ns", "version"))
        self._in_force: RegisteredSchema | None = None
        self._from_ns = 0
        self._until_ns = 0

    def with_version(self, schema: RegisteredSchema, *, revision: int) -> Timeline:
        """The timeline with `schema` put in place of its version, as it stood at `revision`.

        What is known of that very version from a later revision stays; other versions may still
        be told of from earlier ones.
        """
        known_at = max(self.revision, self._known_at.get(schema.version, 0))
        if schema.version in self.by_version and revision <= known_at:
            return self
        versions = self.by_version | {schema.version: schema}
        return Timeline(
            self.subject,
            versions.values(),
            self.revision,
            known_at={**self._known_at, schema.version: revision},
        )

    def latest(self) -> RegisteredSchema | None:
        """The highest version that is not deleted."""
        return max(self._live, key=attrgetter("version"), default=None)

    def in_force(self, *, at_ns: int, known_at_ns: int) -> RegisteredSchema | None:
        """The version with the greatest (effective_from, version) ≤ `at_ns`, known by then."""
        found = None
        for schema in self._live:
            if schema.effective_from_ns > at_ns:
                break
            if schema.registered_at_ns <= known_at_ns:
                found = schema
        return found

    def in_force_now(self, now_ns: int) -> RegisteredSchema | None:
        """The version in force at `now_ns`, as known now."""
        if self._from_ns <= now_ns < self._until_ns:
            return self._in_force
        upcoming = (s.effective_from_ns for s in self._live if s.effective_from_ns > now_ns)
        self._until_ns = 0
        self._in_force = self.in_force(at_ns=now_ns, known_at_ns=_FOREVER)
        self._from_ns = now_ns
        self._until_ns = min(upcoming, default=_FOREVER)
        return self._in_force
