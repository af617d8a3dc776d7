"""Finding versions by the fields their schemas have.

What a schema says of its fields never changes, so it is worked out once, when a search first meets
the schema, and kept by schema id. A search goes through names of versions, asks what is kept, and
reads whole versions only where the fields fit. A call that meets many schemas for the first time
ends its page early and leaves the rest to the next.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .cache import BoundedCache
from .domain.bounds import require_page_size
from .domain.errors import InvalidArgumentError
from .domain.filtering import parse_filter
from .domain.filtering.pattern import Pattern
from .domain.paging import PAGE_BYTES, Listing
from .filter_fields import VERSION_FIELDS
from .listing import PageRequest
from .pages import View, fitting, wanted_among, weight
from .store import VersionScope

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tickmesh.schema import FieldFacts

    from .domain.filtering import Filter
    from .domain.versions import Version, VersionKey
    from .store import SchemaStore
    from .workbench import Workbench

_MAX_CONDITIONS = 16
_LONGEST_TEXT = 4_096
_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")
_ROLES = ("event_time", "symbol", "price", "size", "side", "sequence")
_KEYS_AT_ONCE = 2_000
_FIRST_MET_AT_ONCE = 32
_SEARCH_SECONDS = 0.25
_SHOWN_FIELDS = 256
_CACHED_FIELDS = 400_000
_FIELD_BYTES = 256
_FIRST_PAGE = PageRequest()


@dataclass(frozen=True, slots=True)
class FieldCondition:
    """Asks for a field that fits everything given; empty asks nothing.

    Attributes:
        name: Its name, `*` standing for any run of characters.
        path: Its path of names, for example `/quote/bid`.
        type: A JSON type it admits.
        role: Its tick role.
    """

    name: str = ""
    path: str = ""
    type: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A version, and its fields that met a condition, with their ids."""

    version: Version
    fields: tuple[tuple[FieldFacts, int], ...]


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of hits."""

    hits: tuple[SearchHit, ...]
    next_page_token: str
    revision: int


@dataclass(frozen=True, slots=True)
class SearchQuestion:
    """What is searched for: versions that have all these fields and match a filter."""

    fields: tuple[FieldCondition, ...] = ()
    filter_text: str = ""
    scope: VersionScope = VersionScope.EVERY


@dataclass(frozen=True, slots=True)
class _SchemaFields:
    """The fields of one schema, found by their names."""

    every: tuple[FieldFacts, ...]
    by_name: Mapping[str, tuple[FieldFacts, ...]]

    @classmethod
    def of(cls, every: tuple[FieldFacts, ...]) -> _SchemaFields:
        by_name: dict[str, tuple[FieldFacts, ...]] = {}
        for each in every:
            name = each.names[-1]
            by_name[name] = (*by_name.get(name, ()), each)
        return cls(every, by_name)


class _Test:
    """A condition, ready to be asked of many schemas: each name is matched once."""

    def __init__(self, condition: FieldCondition) -> None:
        self._condition = condition
        self._name = Pattern.of(condition.name) if condition.name else None
        self._fitting: dict[str, bool] = {}

    def matching(self, fields: _SchemaFields) -> list[FieldFacts]:
        """The fields that meet it."""
        if self._name is None:
            return [each for each in fields.every if self._fits(each)]
        if self._name.literal is not None:
            return list(filter(self._fits, fields.by_name.get(self._name.literal, ())))
        return [
            each
            for name, named in fields.by_name.items()
            if self._name_fits(self._name, name)
            for each in named
            if self._fits(each)
        ]

    def _name_fits(self, pattern: Pattern, name: str) -> bool:
        known = self._fitting.get(name)
        if known is None:
            known = self._fitting[name] = pattern.matches(name)
        return known

    def _fits(self, facts: FieldFacts) -> bool:
        condition = self._condition
        return (
            (not condition.path or facts.path == condition.path)
            and (not condition.type or condition.type in facts.types)
            and (not condition.role or facts.role == condition.role)
        )


@dataclass(frozen=True, slots=True)
class _Step:
    """What one stretch of versions gave.

    Attributes:
        hits: Those found.
        weight: About how many bytes they take on the wire.
        behind: The last version that was dealt with.
        is_full: Whether more hits were there than the page has room for.
        is_last: Whether no version follows.
        revision: The oldest revision that was read.
    """

    hits: list[SearchHit]
    weight: int
    behind: tuple[str, int]
    is_full: bool
    is_last: bool
    revision: int


class Search:
    """Finds versions by what their schemas say.

    Attributes:
        fields: What is kept of the fields of schemas, by schema id.
    """

    def __init__(self, store: SchemaStore, workbench: Workbench) -> None:
        self._store = store
        self._workbench = workbench
        self.fields: BoundedCache[int, _SchemaFields] = BoundedCache(
            max_weight=_CACHED_FIELDS * _FIELD_BYTES,
            weigh=lambda known: _FIELD_BYTES * (1 + len(known.every)),
        )

    async def versions(
        self,
        question: SearchQuestion,
        *,
        view: View = View.FULL,
        page: PageRequest = _FIRST_PAGE,
    ) -> SearchPage:
        """Find versions in order of (subject, version).

        Raises:
            InvalidArgumentError: A condition, the filter, page size or token are no good.
        """
        _require_conditions(question.fields)
        limit = require_page_size(page.size)
        wanted = parse_filter(question.filter_text, VERSION_FIELDS)
        listing = Listing("search", (question, view), (str, int))
        position = listing.position(page.token) or ("", 0)
        behind = (str(position[0]), int(position[1]))
        hits: list[SearchHit] = []
        room = PAGE_BYTES
        revisions: list[int] = []
        give_up_at = time.monotonic() + _SEARCH_SECONDS
        while True:
            step = await self._step(
                question,
                wanted,
                after=behind,
                limit=limit - len(hits),
                room=room,
                at_least=0 if hits else 1,
                until=give_up_at,
            )
            hits += step.hits
            room -= step.weight
            revisions.append(step.revision)
            behind = step.behind
            over = len(hits) == limit or step.is_full or time.monotonic() > give_up_at
            if step.is_last or over:
                shown = hits if view is View.FULL else list(map(_outlined, hits))
                token = "" if step.is_last else listing.token(behind)
                return SearchPage(tuple(shown), token, min(revisions))

    async def _step(
        self,
        question: SearchQuestion,
        wanted: Filter[Version],
        *,
        after: tuple[str, int],
        limit: int,
        room: int,
        at_least: int,
        until: float,
    ) -> _Step:
        """Look at a stretch of versions. Nothing is parsed while a snapshot is held."""
        async with self._store.snapshot() as reader:
            keys = await reader.version_keys(
                after=after, limit=_KEYS_AT_ONCE, scope=question.scope, demands=wanted.demands
            )
            revision = reader.head.revision
        known: dict[int, _SchemaFields] = {}
        met: Sequence[VersionKey] = keys
        tests = [_Test(condition) for condition in question.fields]
        if tests:
            known = await self._known(keys, until)
            met = list(itertools.takewhile(lambda key: key.schema_id in known, keys))
        candidates = await asyncio.to_thread(_with_fields, met, known, tests)
        async with self._store.snapshot() as reader:
            named, looked_at = await wanted_among(reader, candidates, wanted, limit=limit)
            versions = await fitting(reader, named, View.FULL, room=room, at_least=at_least)
            revision = min(revision, reader.head.revision)
        hits, used = await asyncio.to_thread(self._hits, versions, known, tests, room, at_least)
        if len(hits) < len(named):
            behind = named[len(hits) - 1] if hits else after
        elif looked_at < len(candidates):
            behind = candidates[looked_at - 1]
        else:
            behind = met[-1][:2] if met else after
        return _Step(
            hits,
            used,
            behind,
            is_full=len(hits) < len(named),
            is_last=len(keys) < _KEYS_AT_ONCE and behind == (keys[-1][:2] if keys else after),
            revision=revision,
        )

    async def _known(self, keys: Sequence[VersionKey], until: float) -> dict[int, _SchemaFields]:
        """What the schemas of these versions say, as far as there is time to work it out."""
        known: dict[int, _SchemaFields] = {}
        first_met: dict[int, tuple[str, int]] = {}
        for subject, number, schema_id in keys:
            if schema_id in known or schema_id in first_met:
                continue
            fields = self.fields.get(schema_id)
            if fields is None:
                first_met[schema_id] = (subject, number)
            else:
                known[schema_id] = fields
        waiting = list(first_met.values())
        for start in range(0, len(waiting), _FIRST_MET_AT_ONCE):
            async with self._store.snapshot() as reader:
                versions = await reader.versions_at(waiting[start : start + _FIRST_MET_AT_ONCE])
            for version in versions:
                known[version.schema_id] = await self._fields_of(version)
            if time.monotonic() > until:
                break
        return known

    async def _fields_of(self, version: Version) -> _SchemaFields:
        if not version.text:
            return _SchemaFields.of(())  # removed for good
        language = self._workbench.formats.named(version.format)
        document = await self._workbench.document(version)
        fields = _SchemaFields.of(await self._workbench.run(language.fields, document))
        self.fields.put(version.schema_id, fields)
        return fields

    def _hits(
        self,
        versions: Sequence[Version],
        known: Mapping[int, _SchemaFields],
        tests: Sequence[_Test],
        room: int,
        at_least: int,
    ) -> tuple[list[SearchHit], int]:
        """The versions with the fields that met a condition, as many as there is room for."""
        hits: list[SearchHit] = []
        used = 0
        for version in versions:
            matched: dict[str, FieldFacts] = {}
            for test in tests:
                matched |= {each.path: each for each in test.matching(known[version.schema_id])}
            shown = list(matched.values())[:_SHOWN_FIELDS]
            language = self._workbench.formats.named(version.format)
            ids = language.field_ids_in(version.arrow_schema) if shown else {}
            taken = weight(version) + sum(
                _FIELD_BYTES + len(each.path) + len(each.arrow_type) for each in shown
            )
            if len(hits) >= at_least and used + taken > room:
                break
            used += taken
            hits.append(SearchHit(version, tuple((each, ids.get(each.names, 0)) for each in shown)))
        return hits, used


def _with_fields(
    keys: Sequence[VersionKey], known: Mapping[int, _SchemaFields], tests: Sequence[_Test]
) -> list[tuple[str, int]]:
    if not tests:
        return [key[:2] for key in keys]
    fits = {
        schema_id: all(test.matching(known[schema_id]) for test in tests)
        for schema_id in {key.schema_id for key in keys}
    }
    return [key[:2] for key in keys if fits[key.schema_id]]


def _outlined(hit: SearchHit) -> SearchHit:
    outline = replace(hit.version, text="", canonical_text="", arrow_schema=b"")
    return SearchHit(outline, hit.fields)


def _require_conditions(conditions: Sequence[FieldCondition]) -> None:
    if len(conditions) > _MAX_CONDITIONS:
        raise InvalidArgumentError.of(
            "fields", f"expected at most {_MAX_CONDITIONS}, got {len(conditions)}"
        )
    for place, condition in enumerate(conditions):
        field = f"fields[{place}]"
        if condition == FieldCondition():
            raise InvalidArgumentError.of(field, "expected a name, a path, a type or a role")
        if condition.type and condition.type not in _TYPES:
            raise InvalidArgumentError.of(
                f"{field}.type", f"expected one of {', '.join(_TYPES)}, got {condition.type[:80]!r}"
            )
        if condition.role and condition.role not in _ROLES:
            raise InvalidArgumentError.of(
                f"{field}.role", f"expected one of {', '.join(_ROLES)}, got {condition.role[:80]!r}"
            )
        for name, text in (("name", condition.name), ("path", condition.path)):
            if len(text) > _LONGEST_TEXT:
                raise InvalidArgumentError.of(
                    f"{field}.{name}",
                    f"expected at most {_LONGEST_TEXT} characters, got {len(text)}",
                )
