"""The versions of one subject, and which of them is latest or in force."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

from tickmesh.registered import VersionState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tickmesh.registered import RegisteredSchema

_FOREVER = 2**63 - 1


class Timeline:
    """Every version of a subject as of a registry revision. Never changes; `with_version` copies.

    The version in force now is remembered together with the instant at which another one takes
    over, so that the usual question costs two comparisons.
    """

    __slots__ = ("_from_ns", "_in_force", "_live", "_until_ns", "by_version", "revision", "subject")

    def __init__(self, subject: str, versions: Iterable[RegisteredSchema], revision: int) -> None:
        """Order `versions` of `subject` as they stood at `revision`."""
        self.subject = subject
        self.revision = revision
        ordered = sorted(versions, key=attrgetter("version"))
        self.by_version = {schema.version: schema for schema in ordered}
        alive = [schema for schema in ordered if schema.state is not VersionState.DELETED]
        self._live = sorted(alive, key=attrgetter("effective_from_ns", "version"))
        self._in_force: RegisteredSchema | None = None
        self._from_ns = 0
        self._until_ns = 0

    def with_version(self, schema: RegisteredSchema) -> Timeline:
        """The timeline with `schema` put in place of its version."""
        versions = self.by_version | {schema.version: schema}
        return Timeline(self.subject, versions.values(), self.revision)

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
