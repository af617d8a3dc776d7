"""Choosing and reading the versions of a page, within bounds."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from typing import TYPE_CHECKING

from .domain.paging import PAGE_BYTES
from .filter_fields import TEXT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .domain.filtering import Filter
    from .domain.versions import Version
    from .store import Reader

SCANNED_VERSIONS = 10_000
"""A call looks at no more versions than so many; its page then ends early, with a token."""

_OUTLINES_AT_ONCE = 500
_TEXTS_AT_ONCE = 8
_TEXTS_SCANNED = 512
_MESSAGE_BYTES = 1_024


class View(StrEnum):
    """How much of a version an answer carries."""

    FULL = "full"
    BASIC = "basic"


async def wanted_among(
    reader: Reader, keys: Sequence[tuple[str, int]], wanted: Filter[Version], *, limit: int
) -> tuple[list[tuple[str, int]], int]:
    """Find versions that match a filter, in the order of their keys.

    Args:
        reader: Where they are read.
        keys: Those to look at.
        wanted: The filter; evaluated off the event loop.
        limit: Stop when so many are found.

    Returns:
        The keys of those that match, and how many were looked at: not always all.
    """
    if not wanted.fields:
        return list(keys[:limit]), min(len(keys), limit)
    with_texts = TEXT in wanted.fields
    read, step = (
        (reader.versions_at, _TEXTS_AT_ONCE)
        if with_texts
        else (reader.outlines_at, _OUTLINES_AT_ONCE)
    )
    most = min(len(keys), _TEXTS_SCANNED) if with_texts else len(keys)
    found: list[tuple[str, int]] = []
    for start in range(0, most, step):
        named = keys[start : min(start + step, most)]
        matching = await asyncio.to_thread(_matching, await read(named), wanted)
        for place, key in enumerate(named):
            if key in matching:
                found.append(key)
                if len(found) == limit:
                    return found, start + place + 1
    return found, most


def _matching(versions: Sequence[Version], wanted: Filter[Version]) -> set[tuple[str, int]]:
    return {(each.subject, each.version) for each in versions if wanted.matches(each)}


async def fitting(
    reader: Reader,
    keys: Sequence[tuple[str, int]],
    view: View,
    *,
    room: int = PAGE_BYTES,
    at_least: int = 1,
) -> tuple[Version, ...]:
    """Read as many of the versions, in order, as there is room for in bytes, or `at_least` so."""
    read = reader.versions_at if view is View.FULL else reader.outlines_at
    page: list[Version] = []
    used = 0
    step = _TEXTS_AT_ONCE
    while len(page) < len(keys):
        for version in await read(keys[len(page) : len(page) + step]):
            used += weight(version)
            if len(page) >= at_least and used > room:
                return tuple(page)
            page.append(version)
        average = used // max(1, len(page)) + 1
        step = max(1, min(_OUTLINES_AT_ONCE, (room - used) // average))
    return tuple(page)


def weight(version: Version) -> int:
    """About how many bytes a version takes on the wire."""
    texts = sum(len(text.encode()) for text in (version.text, version.canonical_text))
    labels = sum(len(key.encode()) + len(value.encode()) for key, value in version.labels.items())
    references = sum(len(each.name.encode()) + len(each.subject) for each in version.references)
    return _MESSAGE_BYTES + texts + len(version.arrow_schema) + labels + references
