"""Judging the items of a change set, from one revision and from what earlier items decided."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog

from .domain.compatibility import DEFAULTS
from .domain.errors import VersionConflictError, VersionNotFoundError, VersionRemovedError
from .domain.evidence import require_report_of
from .domain.versions import VersionState
from .refusal import bounded_report
from .store import NewVersion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .domain.compatibility import Action, Mode, Settings, SettingsOverride
    from .domain.versions import Actor, Reference, Version
    from .formats import Document, Judgement, Projection
    from .proposal import PolicyChange, Proposal
    from .store import RegistrationBasis, SubjectBasis
    from .workbench import Workbench

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("tickmesh.registry")


@dataclass(frozen=True, slots=True)
class Same:
    """A proposal whose text is the latest version's already."""

    proposal: Proposal
    version: Version
    report: str


@dataclass(frozen=True, slots=True)
class Judged:
    """A judged proposal, and everything a new version needs but its revision and times."""

    proposal: Proposal
    settings: Settings
    previous: Version | None
    candidate: Document
    judgement: Judgement
    report: str
    action: Action
    version: NewVersion

    @property
    def is_admitted(self) -> bool:
        """Whether it may be registered."""
        allowed = self.proposal.allow_breaking
        return allowed or self.settings.admits(self.judgement.verdict)


@dataclass(frozen=True, slots=True)
class PolicyStep:
    """A policy change and what it comes to; `is_new` unless it was set so already."""

    change: PolicyChange
    settings: Settings
    is_new: bool


Step = Same | Judged | PolicyStep


class Draft:
    """What the items of a change set see: one revision, and what earlier items decided.

    Attributes:
        basis: The revision.
        steps: What was decided so far.
    """

    def __init__(self, basis: RegistrationBasis) -> None:
        self.basis = basis
        self.steps: list[Step] = []
        self._settings: dict[str, SettingsOverride] = {}
        self._documents: dict[tuple[str, int], Document] = {}

    def settings(self, subject: str) -> Settings:
        """The settings in effect for a subject, or the global ones for ""."""
        inherited = self._own_settings("").over(DEFAULTS)
        return inherited if subject == "" else self._own_settings(subject).over(inherited)

    def change_policy(self, change: PolicyChange) -> None:
        """Decide a policy change."""
        is_new = change.settings != self._own_settings(change.subject)
        self._settings[change.subject] = change.settings
        self.steps.append(PolicyStep(change, self.settings(change.subject), is_new))

    def add(self, step: Same | Judged) -> None:
        """Take up a judged proposal, for later items to refer to."""
        self.steps.append(step)
        if isinstance(step, Judged):
            self._documents[step.version.subject, step.version.version] = step.candidate

    def drafted(self, reference: Reference) -> Document | None:
        """The schema of a version that an earlier item registers."""
        return self._documents.get((reference.subject, reference.version))

    def _own_settings(self, subject: str) -> SettingsOverride:
        decided = self._settings.get(subject)
        if decided is not None:
            return decided
        state = self.basis.root if subject == "" else self.basis.subjects[subject].state
        return state.settings


class Judge:
    """Judges proposals."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench

    async def judge(self, proposal: Proposal, draft: Draft, actor: Actor) -> Same | Judged:
        """Judge one proposal.

        Raises:
            InvalidSchemaError: The text is no schema that can be registered.
            InvalidArgumentError: The data report is about another schema.
            VersionNotFoundError: A reference leads nowhere.
            VersionRemovedError: A reference leads to a version that was removed for good.
            VersionConflictError: The latest version is not the expected one.
        """
        known = draft.basis.subjects[proposal.subject]
        settings = draft.settings(proposal.subject)
        _require_expected(proposal, known.state.latest_version)
        latest = known.latest
        if (
            latest is not None
            and latest.text == proposal.text
            and latest.references == proposal.references
        ):
            return await self._same(proposal, latest, settings)
        language = self._workbench.formats.named(proposal.format)
        pinned = await self._pinned(proposal, draft)
        numbers = versions_compared(known, settings.mode, ignore_deleted=proposal.ignore_deleted)
        history = await self._workbench.history(proposal.subject, numbers)
        previous = None if latest is None else await self._workbench.document(latest)
        number = known.state.version_count + 1

        def judge() -> tuple[Document, Judgement, Action, Projection]:
            """One visit to a thread for all that is pure: every further one waits for its turn."""
            candidate = language.parse(proposal.text, pinned)
            require_report_of(proposal.data_report, candidate.fingerprint)
            return (
                candidate,
                language.judge(history, candidate, mode=settings.mode, policy=settings.policy),
                language.action(previous, candidate),
                language.project(
                    candidate,
                    subject=proposal.subject,
                    version=number,
                    field_ids=known.state.field_ids,
                ),
            )

        candidate, judgement, action, projection = await self._workbench.run(judge)
        return Judged(
            proposal=proposal,
            settings=settings,
            previous=latest,
            candidate=candidate,
            judgement=judgement,
            report=_report_text(bounded_report(judgement.content), proposal),
            action=action,
            version=NewVersion(
                subject=proposal.subject,
                version=number,
                fingerprint=candidate.fingerprint,
                format=proposal.format,
                text=proposal.text,
                canonical_text=candidate.canonical_text,
                arrow_schema=projection.arrow_schema,
                references=proposal.references,
                labels=proposal.labels,
                action=action,
                registered_at_ns=0,
                effective_from_ns=proposal.effective_from_ns or 0,
                actor=actor,
                field_ids=projection.field_ids,
                data_report=proposal.data_report,
            ),
        )

    async def _same(self, proposal: Proposal, latest: Version, settings: Settings) -> Same:
        require_report_of(proposal.data_report, latest.fingerprint)
        language = self._workbench.formats.named(proposal.format)
        nothing_compared = language.judge(
            (),
            await self._workbench.document(latest),
            mode=settings.mode,
            policy=settings.policy,
        )
        return Same(proposal, latest, _report_text(nothing_compared.content, proposal))

    async def _pinned(self, proposal: Proposal, draft: Draft) -> dict[str, Document]:
        pinned: dict[str, Document] = {}
        for reference in proposal.references:
            drafted = draft.drafted(reference)
            if drafted is None:
                state = draft.basis.referenced.get((reference.subject, reference.version))
                if state is None:
                    raise VersionNotFoundError.of(reference.subject, reference.version)
                if state is VersionState.REMOVED:
                    raise VersionRemovedError.of(reference.subject, reference.version)
                drafted = await self._workbench.registered(reference)
            pinned[reference.name] = drafted
        return pinned


def versions_compared(known: SubjectBasis, mode: Mode, *, ignore_deleted: bool) -> list[int]:
    """The versions a mode names: soft-deleted ones too, unless asked otherwise."""
    if not mode.transitive:
        return [] if known.latest is None else [known.latest.version]
    left_out = known.removed | (known.deleted if ignore_deleted else frozenset())
    return [n for n in range(1, known.state.version_count + 1) if n not in left_out]


def _report_text(content: Mapping[str, Any], proposal: Proposal) -> str:
    return json.dumps({**content, "deleted_ignored": proposal.ignore_deleted})


def _require_expected(proposal: Proposal, latest: int) -> None:
    expected = proposal.expected_version
    if expected is None or expected == latest:
        return
    _log.info(
        "registration.conflict",
        subject=proposal.subject,
        expected_version=expected,
        latest_version=latest,
    )
    raise VersionConflictError(
        f"the latest version of {proposal.subject!r} was expected to be {expected}, and is "
        f"{latest}; read it, and retry with what you then find",
        metadata={
            "subject": proposal.subject,
            "expectedVersion": str(expected),
            "latestVersion": str(latest),
        },
    )
