"""Versions of a subject: immutable texts, each in force from an instant on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .compatibility import Action
    from .evidence import DataReport


class VersionState(StrEnum):
    """The life-cycle state of a version."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    DELETED = "deleted"
    REMOVED = "removed"

    @property
    def is_live(self) -> bool:
        """Whether such a version can be latest and in force."""
        return self in (VersionState.ACTIVE, VersionState.DEPRECATED)


@dataclass(frozen=True, slots=True)
class Reference:
    """A `$ref` pinned to a version of another subject."""

    name: str
    subject: str
    version: int


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made a change, and how that identity was established."""

    principal: str
    authentication: str
    on_behalf_of: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Version:
    """One registered version. Everything but its state and note never changes.

    One removed for good is a tombstone: its texts, Arrow projection and data report are empty.

    Attributes:
        deprecation_note: Why it was deprecated, and what to use instead.
        data_report: What its proposer found in data before registering it.
    """

    subject: str
    version: int
    schema_id: int
    fingerprint: str
    format: str
    text: str
    canonical_text: str
    arrow_schema: bytes
    references: tuple[Reference, ...]
    labels: Mapping[str, str]
    state: VersionState
    action: Action
    registered_at_ns: int
    effective_from_ns: int
    revision: int
    actor: Actor
    deprecation_note: str = ""
    data_report: DataReport | None = None

    def standing(self, state: VersionState, note: str) -> Version:
        """The version in another state; what a removed one may no longer hold is left out."""
        if state is VersionState.REMOVED:
            return self.without_texts(state, note)
        return replace(self, state=state, deprecation_note=note)

    def without_texts(self, state: VersionState, note: str) -> Version:
        """The version as the log tells of it in some state once it was removed for good."""
        return replace(
            self,
            state=state,
            deprecation_note=note,
            text="",
            canonical_text="",
            arrow_schema=b"",
            data_report=None,
        )


@dataclass(frozen=True, slots=True)
class VersionStanding:
    """A version and the state it is in."""

    subject: str
    version: int
    state: VersionState
    deprecation_note: str


class VersionKey(NamedTuple):
    """A version's name, and the schema it carries."""

    subject: str
    version: int
    schema_id: int


@dataclass(frozen=True, slots=True)
class VersionTimes:
    """What is needed to choose among the versions of a subject, without their texts."""

    version: int
    state: VersionState
    registered_at_ns: int
    effective_from_ns: int


def latest_version(versions: Iterable[VersionTimes]) -> int:
    """The highest version that is not deleted, 0 when there is none."""
    return max((v.version for v in versions if v.state.is_live), default=0)


def version_in_force(versions: Iterable[VersionTimes], *, at_ns: int, known_at_ns: int) -> int:
    """The version in force at an instant, as known at another; 0 when there is none.

    It is the version with the greatest (effective_from, version) not after `at_ns`, among those
    registered by `known_at_ns` and not deleted.

    Args:
        versions: The versions of one subject, in any order.
        at_ns: The instant asked about, nanoseconds since the epoch, UTC.
        known_at_ns: Only versions registered by then count.
    """
    candidates = (
        (v.effective_from_ns, v.version)
        for v in versions
        if v.state.is_live and v.effective_from_ns <= at_ns and v.registered_at_ns <= known_at_ns
    )
    return max(candidates, default=(0, 0))[1]
