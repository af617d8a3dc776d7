"""What a transaction stages, and how it becomes a revision: the same for every engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tickmesh_registry.domain.changes import Change, Revision
from tickmesh_registry.domain.versions import Version, VersionState

from .tombstones import bare_change

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickmesh_registry.domain.compatibility import SettingsOverride

    from . import CompletedRequest, NewChange, NewStanding, NewVersion, Refusal


@dataclass(frozen=True, slots=True)
class SealedWrites:
    """Staged writes with every number given.

    Attributes:
        revision: The revision they make, none when the change log gets no entry.
        versions: The versions registered.
        standings: The versions that are in another state, as they are now.
        requests: The idempotency records.
    """

    revision: Revision | None
    versions: tuple[Version, ...]
    standings: tuple[Version, ...]
    requests: tuple[CompletedRequest, ...]


class StagedWrites:
    """The writing half of a transaction."""

    def __init__(self) -> None:
        self.new_versions: list[NewVersion] = []
        self.new_standings: list[NewStanding] = []
        self.new_settings: dict[str, SettingsOverride] = {}
        self.new_changes: list[NewChange] = []
        self.new_requests: list[CompletedRequest] = []
        self.new_refusals: list[Refusal] = []

    def add_version(self, version: NewVersion) -> None:
        """Stage a version, and the field ids of its subject."""
        self.new_versions.append(version)

    def set_standing(self, standing: NewStanding) -> None:
        """Stage another state for a version."""
        self.new_standings.append(standing)

    def set_settings(self, subject: str, settings: SettingsOverride) -> None:
        """Stage the settings a subject (or "" for the registry as a whole) sets itself."""
        self.new_settings[subject] = settings

    def add_change(self, change: NewChange) -> None:
        """Stage an entry of the change log. A transaction with one makes a revision."""
        self.new_changes.append(change)

    def set_completed_request(self, request: CompletedRequest) -> None:
        """Stage an idempotency record, in place of an earlier one; the store gives its revision."""
        self.new_requests.append(request)

    def set_refusal(self, refusal: Refusal) -> None:
        """Stage a refusal record."""
        self.new_refusals.append(refusal)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to commit."""
        return not (self.new_changes or self.new_requests or self.new_refusals)

    def seal(self, *, head_revision: int, schema_ids: Mapping[str, int]) -> SealedWrites:
        """Give every number.

        Args:
            head_revision: The last revision before this transaction.
            schema_ids: The schema id of each staged fingerprint.
        """
        number = head_revision + 1 if self.new_changes else head_revision
        versions = {
            (new.subject, new.version): Version(
                subject=new.subject,
                version=new.version,
                schema_id=schema_ids[new.fingerprint],
                fingerprint=new.fingerprint,
                format=new.format,
                text=new.text,
                canonical_text=new.canonical_text,
                arrow_schema=new.arrow_schema,
                references=new.references,
                labels=new.labels,
                state=VersionState.ACTIVE,
                action=new.action,
                registered_at_ns=new.registered_at_ns,
                effective_from_ns=new.effective_from_ns,
                revision=number,
                actor=new.actor,
                data_report=new.data_report,
            )
            for new in self.new_versions
        }
        standings = {
            (new.version.subject, new.version.version): new.version.standing(new.state, new.note)
            for new in self.new_standings
        }
        told = versions | standings
        changes = [
            Change(
                revision=number,
                sequence=sequence,
                kind=new.kind,
                subject=new.subject,
                schema=None if new.version is None else told[new.subject, new.version],
                previous=new.previous,
                action=new.action,
                report=new.report,
                settings=new.settings,
                rejected_text=new.rejected_text,
                actor=new.actor,
                changed_at_ns=new.changed_at_ns,
                verdict=new.verdict,
            )
            for sequence, new in enumerate(self.new_changes)
        ]
        for (subject, version_number), version in standings.items():
            if version.state is VersionState.REMOVED:
                changes = [bare_change(change, subject, version_number) for change in changes]
        return SealedWrites(
            revision=Revision(number, tuple(changes)) if changes else None,
            versions=tuple(versions.values()),
            standings=tuple(standings.values()),
            requests=tuple(replace(request, revision=number) for request in self.new_requests),
        )
