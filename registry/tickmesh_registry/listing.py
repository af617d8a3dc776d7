"""Listings: subjects, the versions of one, and which of them is in force when.

Every page is read at one revision, is bounded in items and bytes, and costs a bounded amount of
work; what its token continues is the same listing, not the same snapshot.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .domain.bounds import require_page_size, require_prefix, require_subject
from .domain.errors import InvalidArgumentError, SubjectNotFoundError
from .domain.filtering import parse_filter
from .domain.ordering import parse_order
from .domain.paging import Listing
from .domain.timeline import Knowledge, Span, timeline
from .filter_fields import SUBJECT_FIELDS, VERSION_FIELDS
from .pages import SCANNED_VERSIONS, View, fitting, wanted_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .domain.filtering import Filter
    from .domain.ordering import Order
    from .domain.versions import Version, VersionTimes
    from .store import Reader, SchemaStore, SubjectState

_SUBJECT_ORDERS = ("name", "revision", "version_count")
_VERSION_ORDERS = ("version", "effective_from")
_SUBJECTS_AT_ONCE = 1_000
_SCANNED_SUBJECTS = 10_000


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a listing; size 0 leaves it to the registry."""

    size: int = 0
    token: str = ""


@dataclass(frozen=True, slots=True)
class SubjectPage:
    """One page of subjects."""

    subjects: tuple[SubjectState, ...]
    next_page_token: str
    revision: int


@dataclass(frozen=True, slots=True)
class VersionPage:
    """One page of versions."""

    versions: tuple[Version, ...]
    next_page_token: str
    revision: int


@dataclass(frozen=True, slots=True)
class TimelineQuestion:
    """Which part of a subject's time, and as of when registrations count."""

    subject: str
    start_ns: int | None = None
    end_ns: int | None = None
    knowledge: Knowledge = Knowledge.NOW
    known_at_ns: int | None = None


@dataclass(frozen=True, slots=True)
class TimelinePage:
    """One page of spans, each with the version that is in force."""

    spans: tuple[tuple[Span, Version], ...]
    next_page_token: str
    revision: int


_FIRST_PAGE = PageRequest()


class Listings:
    """Answers in pages."""

    def __init__(self, store: SchemaStore) -> None:
        self._store = store

    async def subjects(
        self,
        *,
        prefix: str = "",
        filter_text: str = "",
        order_by: str = "",
        page: PageRequest = _FIRST_PAGE,
    ) -> SubjectPage:
        """List subjects with versions, in order of their names unless asked otherwise.

        Raises:
            InvalidArgumentError: Prefix, filter, order, page size or token are no good.
        """
        require_prefix(prefix)
        limit = require_page_size(page.size)
        wanted = parse_filter(filter_text, SUBJECT_FIELDS)
        order = parse_order(order_by, fields=_SUBJECT_ORDERS)
        value_kind = str if order.field == "name" else int
        listing = Listing("subjects", (prefix, filter_text, order), (value_kind, str))
        position = listing.position(page.token)
        found: list[SubjectState] = []
        scanned = 0
        async with self._store.snapshot() as reader:
            while True:
                states = await reader.subjects(
                    prefix=prefix,
                    limit=_SUBJECTS_AT_ONCE if wanted.fields else limit + 1,
                    order=order,
                    after=None if position is None else (position[0], str(position[1])),
                    demands=wanted.demands,
                )
                matching = await _matching_subjects(states, wanted)
                for state in states:
                    if len(found) == limit or scanned == _SCANNED_SUBJECTS:
                        assert position is not None
                        return SubjectPage(
                            tuple(found), listing.token(position), reader.head.revision
                        )
                    scanned += 1
                    position = (getattr(state, order.field), state.name)
                    if state.name in matching:
                        found.append(state)
                if len(states) < _SUBJECTS_AT_ONCE and (wanted.fields or len(states) <= limit):
                    return SubjectPage(tuple(found), "", reader.head.revision)

    async def versions(
        self,
        subject: str,
        *,
        filter_text: str = "",
        order_by: str = "",
        view: View = View.FULL,
        page: PageRequest = _FIRST_PAGE,
    ) -> VersionPage:
        """List the versions of a subject, ascending unless asked otherwise, deleted ones included.

        Raises:
            InvalidArgumentError: Subject, filter, order, page size or token are no good.
            SubjectNotFoundError: The subject has no versions.
        """
        require_subject(subject)
        limit = require_page_size(page.size)
        wanted = parse_filter(filter_text, VERSION_FIELDS)
        order = parse_order(order_by, fields=_VERSION_ORDERS)
        listing = Listing("versions", (subject, filter_text, order, view), (int, int))
        position = listing.position(page.token)
        async with self._store.snapshot() as reader:
            positions = _positions(await _times(reader, subject), order)
            if position is not None:
                positions = _behind(positions, position, order)
            keys = [(subject, number) for _, number in positions]
            found, scanned = await wanted_among(
                reader, keys[:SCANNED_VERSIONS], wanted, limit=limit
            )
            versions = await fitting(reader, found, view)
            if len(versions) < len(found):
                scanned = keys.index((subject, versions[-1].version)) + 1
            token = listing.token(positions[scanned - 1]) if scanned < len(keys) else ""
            return VersionPage(versions, token, reader.head.revision)

    async def timeline(
        self,
        question: TimelineQuestion,
        *,
        view: View = View.FULL,
        page: PageRequest = _FIRST_PAGE,
    ) -> TimelinePage:
        """Say which version of a subject is in force when; see `domain.timeline`.

        Raises:
            InvalidArgumentError: The subject, the instants, page size or token are no good.
            SubjectNotFoundError: The subject has no versions.
        """
        subject = require_subject(question.subject)
        _require_instants(question)
        limit = require_page_size(page.size)
        listing = Listing("timeline", (question, view), (int,))
        position = listing.position(page.token)
        async with self._store.snapshot() as reader:
            spans = timeline(
                await _times(reader, subject),
                start_ns=question.start_ns,
                end_ns=question.end_ns,
                knowledge=question.knowledge,
                known_at_ns=question.known_at_ns,
            )
            if position is not None:
                spans = [span for span in spans if span.start_ns > int(position[0])]
            keys = [(subject, span.version) for span in spans[:limit]]
            versions = await fitting(reader, keys, view)
            shown = tuple(zip(spans, versions, strict=False))
            token = listing.token((shown[-1][0].start_ns,)) if len(shown) < len(spans) else ""
            return TimelinePage(shown, token, reader.head.revision)


async def _times(reader: Reader, subject: str) -> tuple[VersionTimes, ...]:
    times = await reader.version_times(subject)
    if not times:
        raise SubjectNotFoundError.of(subject)
    return times


async def _matching_subjects(
    states: Sequence[SubjectState], wanted: Filter[SubjectState]
) -> set[str]:
    if not wanted.fields:
        return {state.name for state in states}

    def matching() -> set[str]:
        return {state.name for state in states if wanted.matches(state)}

    return await asyncio.to_thread(matching)


def _positions(times: Sequence[VersionTimes], order: Order) -> list[tuple[int, int]]:
    by_version = order.field == "version"
    return sorted(
        ((each.version if by_version else each.effective_from_ns, each.version) for each in times),
        reverse=order.descending,
    )


def _behind(
    positions: list[tuple[int, int]], after: tuple[str | int, ...], order: Order
) -> list[tuple[int, int]]:
    if order.descending:
        return [position for position in positions if position < after]
    return [position for position in positions if position > after]


def _require_instants(question: TimelineQuestion) -> None:
    at_instant = question.knowledge is Knowledge.AT_INSTANT
    if at_instant and question.known_at_ns is None:
        raise InvalidArgumentError.of("known_at", "expected the instant for AT_INSTANT, got none")
    if not at_instant and question.known_at_ns is not None:
        raise InvalidArgumentError.of(
            "known_at", "goes with knowledge AT_INSTANT only; leave it out"
        )
    start, end = question.start_ns, question.end_ns
    if start is not None and end is not None and end < start:
        raise InvalidArgumentError.of(
            "end_time", "expected start_time or later, got an earlier one"
        )
