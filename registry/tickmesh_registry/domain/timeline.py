"""Which version of a subject is in force when, in effective time and as known at a time."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from .versions import VersionState

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .versions import VersionTimes

_IN_FORCE = frozenset({VersionState.ACTIVE, VersionState.DEPRECATED})


class Knowledge(StrEnum):
    """As of when registrations count."""

    NOW = "now"
    AT_INSTANT = "at_instant"
    AT_EACH_INSTANT = "at_each_instant"


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time in which one version is in force.

    Attributes:
        version: The number of the version.
        start_ns: From when on, inclusive.
        end_ns: Until when, exclusive; none where there is no end.
    """

    version: int
    start_ns: int
    end_ns: int | None


def timeline(
    versions: Iterable[VersionTimes],
    *,
    start_ns: int | None = None,
    end_ns: int | None = None,
    knowledge: Knowledge = Knowledge.NOW,
    known_at_ns: int | None = None,
) -> list[Span]:
    """The spans of a subject between two instants, in order; gaps have no version in force.

    At every instant the version is the one that `version_in_force` names. A version can only take
    over at the instant from which on it counts: when it comes into force or, as known then, at the
    later of that and its registration. So one pass over these instants finds every span.

    Args:
        versions: The versions of one subject, in any order.
        start_ns: From when on, inclusive; from the beginning when none.
        end_ns: Until when, exclusive; without end when none.
        knowledge: As of when registrations count.
        known_at_ns: The instant for AT_INSTANT.
    """
    known_by = known_at_ns if knowledge is Knowledge.AT_INSTANT else None
    counting = sorted(
        (_counts_from(version, knowledge), version.effective_from_ns, version.version)
        for version in versions
        if version.state in _IN_FORCE and (known_by is None or version.registered_at_ns <= known_by)
    )
    takeovers: list[tuple[int, int]] = []
    highest: tuple[int, int] | None = None
    for instant, effective, number in counting:
        if highest is not None and (effective, number) < highest:
            continue
        highest = (effective, number)
        if takeovers and takeovers[-1][0] == instant:
            takeovers.pop()
        takeovers.append((instant, number))
    ends = [instant for instant, _ in takeovers[1:]]
    spans = [
        Span(number, instant, end)
        for (instant, number), end in zip(takeovers, [*ends, None], strict=False)
    ]
    return [span for each in spans if (span := _clipped(each, start_ns, end_ns)) is not None]


def _counts_from(version: VersionTimes, knowledge: Knowledge) -> int:
    if knowledge is Knowledge.AT_EACH_INSTANT:
        return max(version.effective_from_ns, version.registered_at_ns)
    return version.effective_from_ns


def _clipped(span: Span, start_ns: int | None, end_ns: int | None) -> Span | None:
    start = span.start_ns if start_ns is None else max(span.start_ns, start_ns)
    end = span.end_ns
    if end_ns is not None:
        end = end_ns if end is None else min(end, end_ns)
    return Span(span.version, start, end) if end is None or start < end else None
