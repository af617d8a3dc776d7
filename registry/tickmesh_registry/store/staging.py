"""What a transaction stages, and how it becomes a revision: the same for every engine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tickmesh_registry.domain.changes import Change, Revision
from tickmesh_registry.domain.versions import Version, VersionState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tickmesh_registry.domain.compatibility import SettingsOverride

    from . import CompletedRequest, NewChange, NewVersion, Refusal


@dataclass(frozen=True, slots=True)
class SealedWrites:
    """Staged writes with every number given.

    Attributes:
        revision: The revision they make, none when the change log gets no entry.
        versions: The versions registered.
        requests: The idempotency records.
    """

    revision: Revision | None
    versions: tuple[Version, ...]
    requests: tuple[CompletedRequest, ...]


class StagedWrites:
    """The writing half of a transaction."""

    def __init__(self) -> None:
        self.new_versions: list[NewVersion] = []
        self.new_settings: dict[str, SettingsOverride] = {}
        self.new_changes: list[NewChange] = []
        self.new_requests: list[CompletedRequest] = []
        self.new_refusals: list[Refusal] = []

    def add_version(self, version: NewVersion) -> None:
        """Stage a version, and the field ids of its subject."""
        self.new_versions.append(version)

    def set_settings(self, subject: str, settings: SettingsOverride) -> None:
        """Stage the settings a subject (or "" for the registry as a whole) sets itself."""
        self.new_settings[subject] = settings

    def add_change(self, change: NewChange) -> None:
        """Stage an entry of the change log. A transaction with one makes a revision."""
        self.new_changes.append(change)

    def set_completed_request(self, request: CompletedRequest) -> None:
        """Stage an idempotency record; its revision is given by the store."""
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
            )
            for new in self.new_versions
        }
        changes = tuple(
            Change(
                revision=number,
                sequence=sequence,
                kind=new.kind,
                subject=new.subject,
                schema=None if new.version is None else versions[new.subject, new.version],
                previous=new.previous,
                action=new.action,
                report=new.report,
                settings=new.settings,
                rejected_text=new.rejected_text,
                actor=new.actor,
                changed_at_ns=new.changed_at_ns,
            )
            for sequence, new in enumerate(self.new_changes)
        )
        return SealedWrites(
            revision=Revision(number, changes) if changes else None,
            versions=tuple(versions.values()),
            requests=tuple(replace(request, revision=number) for request in self.new_requests),
        )
