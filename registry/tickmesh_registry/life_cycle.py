"""The states of a version after its registration: deprecated, deleted, restored, removed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .domain.bounds import require_note, require_subject, require_version_number
from .domain.changes import ChangeKind
from .domain.errors import (
    SubjectNotFoundError,
    VersionNotFoundError,
    VersionReferencedError,
    VersionRemovedError,
    WrongVersionStateError,
)
from .domain.versions import VersionState
from .requirements import Requirements
from .store import NewChange, NewStanding
from .writing import actor_of, time_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tickmesh_serving.call_context import CallContext
    from tickmesh_serving.clock import Clock
    from tickmesh_serving.permissions import Grants

    from .domain.versions import Version
    from .store import SchemaStore, Transaction

    _Decide = Callable[[Transaction, Version], Awaitable[NewStanding | None]]
    """Says what a version becomes; none when it is so already."""

DELETE_PERMANENTLY = "registry.schemas.delete_permanently"

_REFERRERS_NAMED = 8


@dataclass(frozen=True, slots=True)
class Moved:
    """A version as it is now, and the revision that made it so or the head."""

    version: Version
    revision: int


class LifeCycle:
    """Moves versions between states. Asking for a state a version is in already changes nothing."""

    def __init__(self, store: SchemaStore, *, clock: Clock, grants: Grants) -> None:
        self._store = store
        self._clock = clock
        self._requirements = Requirements(clock=clock, grants=grants)

    async def deprecate(self, subject: str, number: int, note: str, call: CallContext) -> Moved:
        """Mark a version as one that new writers should leave.

        Raises:
            InvalidArgumentError: Subject, version or note are out of bounds.
            SubjectNotFoundError, VersionNotFoundError: There is no such version.
            WrongVersionStateError: It is deleted.
            VersionRemovedError: It was removed for good.
        """
        require_note(note)

        async def decide(_transaction: Transaction, version: Version) -> NewStanding | None:
            if version.state is VersionState.REMOVED:
                raise VersionRemovedError.of(subject, number)
            if version.state is VersionState.DELETED:
                raise _wrong_state(version, "active or deprecated", "restore it first")
            if version.state is VersionState.DEPRECATED and version.deprecation_note == note:
                return None
            return NewStanding(version, VersionState.DEPRECATED, note)

        return await self._move(subject, number, ChangeKind.VERSION_DEPRECATED, decide, call)

    async def delete(self, subject: str, number: int, call: CallContext) -> Moved:
        """Hide a version from latest and in force.

        Raises:
            InvalidArgumentError: Subject or version are out of bounds.
            SubjectNotFoundError, VersionNotFoundError: There is no such version.
        """

        async def decide(_transaction: Transaction, version: Version) -> NewStanding | None:
            if not version.state.is_live:
                return None
            return NewStanding(version, VersionState.DELETED, version.deprecation_note)

        return await self._move(subject, number, ChangeKind.VERSION_DELETED, decide, call)

    async def remove(self, subject: str, number: int, call: CallContext) -> Moved:
        """Remove the texts of a soft-deleted version for good and leave a tombstone.

        Raises:
            InvalidArgumentError: Subject or version are out of bounds.
            PermissionDeniedError: It is not granted.
            SubjectNotFoundError, VersionNotFoundError: There is no such version.
            WrongVersionStateError: It is not soft-deleted.
            VersionReferencedError: Other versions refer to it.
        """
        self._requirements.require(DELETE_PERMANENTLY, call)

        async def decide(transaction: Transaction, version: Version) -> NewStanding | None:
            if version.state is VersionState.REMOVED:
                return None
            if version.state is not VersionState.DELETED:
                raise _wrong_state(version, "deleted", "delete it softly first")
            referrers = await transaction.referrers(subject, number, limit=_REFERRERS_NAMED)
            if referrers:
                named = ", ".join(f"{name}/{of}" for name, of in referrers)
                raise VersionReferencedError(
                    f"version {number} of {subject!r} is referred to by {named}; remove those "
                    "first, or leave it softly deleted",
                    metadata={"subject": subject, "version": str(number), "referrers": named},
                    violations=[(f"{name}/{of}", "refers to it") for name, of in referrers],
                    resource=("version", f"{subject}/{number}"),
                )
            return NewStanding(version, VersionState.REMOVED, version.deprecation_note)

        return await self._move(subject, number, ChangeKind.VERSION_DELETED, decide, call)

    async def restore(self, subject: str, number: int, call: CallContext) -> Moved:
        """Make a soft-deleted or deprecated version active again.

        Raises:
            InvalidArgumentError: Subject or version are out of bounds.
            SubjectNotFoundError, VersionNotFoundError: There is no such version.
            VersionRemovedError: It was removed for good.
        """

        async def decide(_transaction: Transaction, version: Version) -> NewStanding | None:
            if version.state is VersionState.REMOVED:
                raise VersionRemovedError.of(subject, number)
            if version.state is VersionState.ACTIVE:
                return None
            return NewStanding(version, VersionState.ACTIVE, "")

        return await self._move(subject, number, ChangeKind.VERSION_RESTORED, decide, call)

    async def _move(
        self, subject: str, number: int, kind: ChangeKind, decide: _Decide, call: CallContext
    ) -> Moved:
        require_subject(subject)
        require_version_number(number)

        async def body(transaction: Transaction) -> Version:
            version = await transaction.version(subject, number)
            if version is None:
                if (await transaction.subject(subject)).version_count == 0:
                    raise SubjectNotFoundError.of(subject)
                raise VersionNotFoundError.of(subject, number)
            standing = await decide(transaction, version)
            if standing is None:
                return version
            transaction.set_standing(standing)
            transaction.add_change(
                NewChange(
                    kind=kind,
                    subject=subject,
                    version=number,
                    previous=version,
                    action=None,
                    report=None,
                    settings=None,
                    rejected_text=None,
                    actor=actor_of(call),
                    changed_at_ns=time_of(transaction, self._clock),
                )
            )
            return version.standing(standing.state, standing.note)

        committed = await self._store.transact(body)
        return Moved(committed.result, committed.head.revision)


def _wrong_state(version: Version, expected: str, remedy: str) -> WrongVersionStateError:
    return WrongVersionStateError(
        f"version {version.version} of {version.subject!r} was expected to be {expected}, and is "
        f"{version.state.value}; {remedy}",
        metadata={
            "subject": version.subject,
            "version": str(version.version),
            "state": version.state.value,
        },
        resource=("version", f"{version.subject}/{version.version}"),
    )
