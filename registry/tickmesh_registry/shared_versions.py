"""Versions in the second cache tier: their content, never their state.

What is latest, in force, deprecated or deleted is said by the change log alone. So the versions
that are not active, few as they are, are kept in mind here, as of the revision this process has
published; only versions that are not among them are taken from the tier, or put there.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import structlog

from .domain.compatibility import Action
from .domain.evidence import data_report_of
from .domain.filtering import parse_filter
from .domain.versions import Actor, Reference, Version, VersionState
from .filter_fields import VERSION_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .cache import CacheTier
    from .domain.changes import Change, Revision
    from .redis_tier import RedisTier
    from .store import SchemaStore
    from .watch import WatchHub

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.registry.cache")

_MAX_INACTIVE = 100_000
_PAGE = 1_000
_INACTIVE = parse_filter("state != active", VERSION_FIELDS)
# Releases that know other fields of a version share nothing.
_FORMAT = hashlib.sha256(",".join(each.name for each in fields(Version)).encode()).hexdigest()[:8]


class SharedVersions:
    """Finds the content of versions in the second tier, as of this process's own revision."""

    def __init__(self, tier: RedisTier, store: SchemaStore, hub: WatchHub) -> None:
        self._tier = tier
        self._store = store
        self._hub = hub
        self._inactive: set[tuple[str, int]] | None = None
        self._heard: list[Change] | None = None
        hub.on_publish(self._published)
        hub.on_jump(self._forget)

    async def by_number(self, subject: str, number: int) -> Version | None:
        """An active version, none when the tier cannot say."""
        if not await self._ready() or self._is_inactive(subject, number):
            return None
        content = await self._tier.get(self._version_key(subject, number))
        if content is None:
            return None
        try:
            version = _decoded(content)
        except (KeyError, TypeError, ValueError):
            return None  # from a program that writes it in another way
        return version if self._is_current(version) else None

    async def earliest(self, schema: int | str) -> tuple[str, int] | None:
        """Which version is the earliest with a schema id or fingerprint, if the tier can say."""
        content = await self._tier.get(self._schema_key(schema)) if await self._ready() else None
        if content is None:
            return None
        subject, number = json.loads(content)
        return None if self._is_inactive(subject, number) else (subject, number)

    def offer(self, version: Version) -> None:
        """Let other replicas have an active version."""
        if version.state is VersionState.ACTIVE:
            self._tier.put(self._version_key(version.subject, version.version), _encoded(version))

    def offer_earliest(self, schema: int | str, version: Version) -> None:
        """Let other replicas know which version is the earliest with a schema."""
        name = json.dumps([version.subject, version.version]).encode()
        self._tier.put(self._schema_key(schema), name)

    def tier(self) -> CacheTier:
        """How the tier is doing."""
        return self._tier.tier()

    async def close(self) -> None:
        """Let go of the tier."""
        await self._tier.close()

    def _version_key(self, subject: str, number: int) -> str:
        return f"tickmesh:{self._hub.epoch}:{_FORMAT}:version:{number}:{subject}"

    def _schema_key(self, schema: int | str) -> str:
        return f"tickmesh:{self._hub.epoch}:{_FORMAT}:schema:{schema}"

    def _is_inactive(self, subject: str, number: int) -> bool:
        return self._inactive is None or (subject, number) in self._inactive

    def _is_current(self, version: Version) -> bool:
        """Asked behind every wait: its state may have changed, or its revision lie ahead."""
        known = not self._is_inactive(version.subject, version.version)
        return known and version.revision <= self._hub.revision

    async def _ready(self) -> bool:
        """Say whether the inactive versions are known; begins to read them if not."""
        if self._inactive is None and self._heard is None:
            heard = self._heard = []
            try:
                await self._load(heard)
            finally:
                if self._heard is heard:
                    self._heard = None
        return self._inactive is not None

    async def _load(self, heard: list[Change]) -> None:
        found: set[tuple[str, int]] = set()
        after = ("", 0)
        async with self._store.snapshot() as reader:
            while keys := await reader.version_keys(
                after=after, limit=_PAGE, demands=_INACTIVE.demands
            ):
                outlines = await reader.outlines_at([key[:2] for key in keys])
                found |= {(v.subject, v.version) for v in outlines if _INACTIVE.matches(v)}
                after = keys[-1][:2]
                if len(found) > _MAX_INACTIVE:
                    _log.warning("registry.cache.too_many_inactive", most=_MAX_INACTIVE)
                    return
            revision = reader.head.revision
        if self._heard is not heard:
            return  # the store moved on unheard meanwhile
        self._inactive = found
        self._apply(change for change in heard if change.revision > revision)

    def _forget(self) -> None:
        """The store moved on unheard: what is inactive must be read anew."""
        self._inactive = None
        self._heard = None

    def _published(self, revision: Revision) -> None:
        if self._heard is not None:
            self._heard.extend(revision.changes)
        self._apply(revision.changes)

    def _apply(self, changes: Iterable[Change]) -> None:
        if self._inactive is None:
            return
        for change in changes:
            if change.schema is not None:
                key = (change.subject, change.schema.version)
                if change.schema.state is VersionState.ACTIVE:
                    self._inactive.discard(key)
                else:
                    self._inactive.add(key)


def _encoded(version: Version) -> bytes:
    content: dict[str, Any] = asdict(version)
    content["arrow_schema"] = base64.b64encode(version.arrow_schema).decode()
    return json.dumps(content).encode()


def _decoded(content: bytes) -> Version:
    values = json.loads(content)
    report = values["data_report"]
    return Version(
        **{
            **values,
            "arrow_schema": base64.b64decode(values["arrow_schema"]),
            "references": tuple(Reference(**each) for each in values["references"]),
            "state": VersionState(values["state"]),
            "action": Action(values["action"]),
            "actor": Actor(**values["actor"]),
            "data_report": None if report is None else data_report_of(report),
        }
    )
