"""Versions of a subject: immutable texts, each in force from an instant on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .compatibility import Action


class VersionState(StrEnum):
    """The life-cycle state of a version."""

    ACTIVE = "active"
    DEPRECATED = "deprecated"
    DELETED = "deleted"


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
    """One registered version. Everything but `state` never changes."""

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
    return max((v.version for v in versions if v.state is not VersionState.DELETED), default=0)


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
        if v.state is not VersionState.DELETED
        and v.effective_from_ns <= at_ns
        and v.registered_at_ns <= known_at_ns
    )
    return max(candidates, default=(0, 0))[1]
